# R torch's gradient clip and AdamW, in double precision.

#' Scale all gradients together so that their common norm is at most max_norm:
#' coef = max_norm / (norm + 1e-6), used only where it is below 1.
#'
#' @param gradients a named list of arrays.
#' @param max_norm the largest norm that is left as it is; the course has 1.
#' @return list(norm, gradients); norm is the one before clipping.
#' @source R torch: nn_utils_clip_grad_norm_.
#' @export
oracle_clip <- function(gradients, max_norm) {
  norm <- sqrt(sum(vapply(gradients, function(g) sum(g^2), 0)))
  coef <- max_norm / (norm + 1e-6)
  if (coef < 1) gradients <- lapply(gradients, function(g) g * coef)
  list(norm = norm, gradients = gradients)
}

#' AdamW's memory before the first step: nothing seen yet.
#'
#' @param weights a named list of arrays.
#' @return list(step, exp_avg, exp_avg_sq): 0, and zeros shaped like the weights.
#' @export
oracle_adamw_start <- function(weights) {
  zeros <- lapply(weights, function(w) replace(w, TRUE, 0))
  list(step = 0, exp_avg = zeros, exp_avg_sq = zeros)
}

#' One step of AdamW on every weight.
#'
#' The decay comes first and needs no gradient: a row of wte without gradient decays too.
#'   w <- w (1 - lr weight_decay)
#'   m <- beta1 m + (1 - beta1) g;   v <- beta2 v + (1 - beta2) g^2
#'   w <- w - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
#'
#' @param weights,gradients named lists of arrays; every weight needs a gradient.
#' @param state what oracle_adamw_start() or the step before returned.
#' @param lr the learning rate.
#' @param betas,eps,weight_decay the settings of optim_adamw; the course leaves them as they are.
#' @return list(weights, state) after the step.
#' @source R torch: optim_adamw; Loshchilov & Hutter 2019.
#' @export
oracle_adamw_step <- function(weights, gradients, state, lr, betas = c(0.9, 0.999), eps = 1e-8,
                              weight_decay = 0.01) {
  absent <- setdiff(names(weights), names(gradients))
  if (length(absent) > 0) stop("no gradient for: ", paste(absent, collapse = ", "))
  state$step <- state$step + 1
  step_size <- lr / (1 - betas[1]^state$step)
  root2 <- sqrt(1 - betas[2]^state$step)
  for (name in names(weights)) {
    g <- gradients[[name]]
    m <- betas[1] * state$exp_avg[[name]] + (1 - betas[1]) * g
    v <- betas[2] * state$exp_avg_sq[[name]] + (1 - betas[2]) * g^2
    weights[[name]] <- weights[[name]] * (1 - lr * weight_decay) - step_size * m / (sqrt(v) / root2 + eps)
    state$exp_avg[[name]] <- m
    state$exp_avg_sq[[name]] <- v
  }
  list(weights = weights, state = state)
}
