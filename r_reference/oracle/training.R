# luz's loop, without its randomness: batches come in order and with their dropout masks.

#' luz's metric "loss": a running mean in which every batch counts alike, the short last one too.
#' After step s: mean = (s - 1) / s * mean + loss / s.
oracle_running_mean <- function(losses) {
  mean <- 0
  for (s in seq_along(losses)) mean <- (s - 1) / s * mean + losses[s] / s
  mean
}

#' Train on `batches`, a list of list(x, y, masks); each is one step: gradients, clip, AdamW.
#' `state` goes on from an earlier oracle_train(); `...` goes to oracle_adamw_step().
#' Returns losses and gradient norms (one a step, both before the step), the weights, AdamW's
#' state, and running_mean, the loss that luz would report for these steps as an epoch.
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
oracle_validate <- function(weights, batches, n_head) {
  losses <- vapply(batches, function(batch) {
    oracle_loss(oracle_forward(weights, batch$x, n_head)$act.logits, batch$y)
  }, 0)
  list(losses = losses, running_mean = oracle_running_mean(losses))
}
