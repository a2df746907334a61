# Clip, AdamW and luz's mean against examples worked out with bare numbers: what a recording of one
# unclipped step cannot show, because the first step's bias correction cancels both betas.

#' `report(what, error, limit)` prints one line and says whether it is good.
check_optimizer <- function(report) {
  # norm of (3, 4) is 5
  clipped <- oracle_clip(list(a = array(3, 1), b = array(4, 1)), 1)
  clip_error <- max(abs(c(clipped$norm - 5, clipped$gradients$a - 3 / 5.000001, clipped$gradients$b - 4 / 5.000001)))
  # gradients 1, then -2, on a weight of 1 with lr = 0.1:
  # m = 0.09 - 0.2, v = 0.000999 + 0.004, corrections 1 - 0.81 and 1 - 0.998001
  weights <- list(w = array(1, 1))
  first <- oracle_adamw_step(weights, list(w = array(1, 1)), oracle_adamw_start(weights), 0.1)
  second <- oracle_adamw_step(first$weights, list(w = array(-2, 1)), first$state, 0.1)
  after_1 <- 0.999 - 0.1 / (1 + 1e-8)
  after_2 <- 0.999 * after_1 + 0.1 / 0.19 * 0.11 / (sqrt(0.004999) / sqrt(0.001999) + 1e-8)
  c(report("gradient clip", clip_error, 1e-14),
    report("AdamW, two steps", max(abs(c(first$weights$w - after_1, second$weights$w - after_2))), 1e-14),
    report("luz's running mean", abs(oracle_running_mean(c(4, 2, 3)) - 3), 1e-14))
}
