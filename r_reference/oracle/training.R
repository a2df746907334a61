# luz's loop, without its randomness: batches come in order and with their dropout masks.

#' luz's metric "loss": a running mean in which every batch counts alike, the short last one too.
#' After step s: mean = (s - 1) / s * mean + loss / s.
#'
#' @param losses the batches' losses, in nats.
#' @return one number, in nats.
#' @source luz: luz_metric_loss_average.
#' @export
oracle_running_mean <- function(losses) {
  mean <- 0
  for (s in seq_along(losses)) mean <- (s - 1) / s * mean + losses[s] / s
  mean
}

#' Train: each batch is one step of gradients, clip and AdamW.
#'
#' @param weights,n_head as for oracle_forward().
#' @param batches a list of list(x, y, masks), as for oracle_gradients().
#' @param lr the learning rate.
#' @param max_norm where the gradient is clipped.
#' @param padding_row as for oracle_gradients().
#' @param state AdamW's state of an earlier oracle_train(), to go on from there.
#' @param ... goes to oracle_adamw_step().
#' @return list(losses, weights, running_mean, norms, state): losses and gradient norms, one a step and both before
#'   it, the trained weights, the loss in nats that luz would report for these steps as an epoch, AdamW's state.
#' @source exercises 2 and 3, fit() of luz.
#' @export
oracle_train <- function(weights, batches, n_head, lr, max_norm, padding_row = "r",
                         state = oracle_adamw_start(weights), ...) {
  losses <- norms <- numeric(length(batches))
  for (s in seq_along(batches)) {
    batch <- batches[[s]]
    back <- oracle_gradients(weights, batch$x, batch$y, n_head, batch$masks, padding_row)
    clipped <- oracle_clip(back$gradients, max_norm)
    stepped <- oracle_adamw_step(weights, clipped$gradients, state, lr, ...)
    weights <- stepped$weights
    state <- stepped$state
    losses[s] <- back$loss
    norms[s] <- clipped$norm
  }
  list(losses = losses, weights = weights, running_mean = oracle_running_mean(losses),
       norms = norms, state = state)
}

#' luz's validation loss: the running mean over batches, without dropout.
#'
#' @param weights,batches,n_head as for oracle_train(); masks are not used.
#' @return list(losses, running_mean), in nats.
#' @export
oracle_validate <- function(weights, batches, n_head) {
  losses <- vapply(batches, function(batch) {
    oracle_loss(oracle_forward(weights, batch$x, n_head)$act.logits, batch$y)
  }, 0)
  list(losses = losses, running_mean = oracle_running_mean(losses))
}
