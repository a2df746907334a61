# Laws of the whole models: oracle_forward(), oracle_loss(), oracle_gradients().

test_that("each row of attention weights sums to 1 and gives the future nothing", {
  for (seed in 1:5) {
    case <- small_case(TRUE, seed)
    act <- oracle_forward(case$weights, case$x, case$n_head)
    for (w in act[c("act.block1.attn_weights", "act.block2.attn_weights")]) {
      expect_equal(apply(w, 1:3, sum), array(1, dim(w)[1:3]), tolerance = 1e-14)
      future <- upper.tri(matrix(0, dim(w)[3], dim(w)[4]))
      for (b in seq_len(dim(w)[1])) for (h in seq_len(dim(w)[2])) expect_true(all(w[b, h, , ][future] == 0))
    }
  }
})

test_that("an id changes no logits before it; without attention only its own", {
  for (attention in c(TRUE, FALSE)) {
    for (seed in 1:5) {
      case <- small_case(attention, seed)
      before <- logits_of(case)
      for (position in 1:4) {
        x <- case$x
        x[, position] <- x[, position] %% 6 + 1
        # the columns of differences: one for each position
        change <- apply(abs(logits_of(case, x) - before), 2, max)
        expect_true(all(change[seq_len(position - 1)] == 0))
        expect_gt(change[position], 1e-6)
        later <- change[seq_len(4) > position]
        if (attention) expect_true(all(later > 1e-9)) else expect_true(all(later == 0))
      }
    }
  }
})

test_that("a shorter window gives the same logits where it reaches", {
  case <- small_case(TRUE)
  expect_equal(logits_of(case, case$x[, 1:2]), logits_of(case)[, 1:2, ], tolerance = 1e-12)
})

test_that("windows do not see one another: a batch's loss and gradients are the means of its windows'", {
  for (attention in c(TRUE, FALSE)) {
    case <- small_case(attention, 2)
    whole <- oracle_gradients(case$weights, case$x, case$y, case$n_head)
    windows <- lapply(1:3, function(b) {
      oracle_gradients(case$weights, case$x[b, , drop = FALSE], case$y[b, , drop = FALSE], case$n_head)
    })
    expect_equal(whole$loss, mean(vapply(windows, function(w) w$loss, 0)), tolerance = 1e-13)
    for (name in names(whole$gradients)) {
      mean_of_windows <- Reduce(`+`, lapply(windows, function(w) w$gradients[[name]])) / 3
      expect_equal(whole$gradients[[name]], mean_of_windows, tolerance = 1e-10, label = name)
    }
  }
})

test_that("cross entropy: log(nvoc) where all ids are alike, and 0 where the right one is certain", {
  y <- matrix(c(1, 2, 5, 5), 2)
  expect_equal(oracle_loss(array(7, c(2, 2, 5)), y), log(5), tolerance = 1e-15)
  certain <- array(0, c(2, 2, 5))
  certain[cbind(c(1, 2, 1, 2), c(1, 1, 2, 2), as.vector(y))] <- 1000
  expect_equal(oracle_loss(certain, y), 0)
  # -log(1 / 4) once, -log(3 / 4) once
  expect_equal(oracle_loss(array(rep(log(c(1, 3)), each = 2), c(1, 2, 2)), matrix(c(1, 2), 1)),
               mean(c(log(4), log(4 / 3))), tolerance = 1e-15)
})

test_that("the key's bias changes nothing, so its gradient is rounding", {
  case <- small_case(TRUE, 4)
  gradient <- oracle_gradients(case$weights, case$x, case$y, case$n_head)$gradients$MH.0.in_proj_bias
  key <- 4 + 1:4
  expect_lt(max(abs(gradient[key])), 1e-14)
  expect_gt(min(abs(gradient[-key])), 1e-6)
  before <- logits_of(case)
  case$weights$MH.0.in_proj_bias[key] <- case$weights$MH.0.in_proj_bias[key] + 3
  expect_equal(logits_of(case), before, tolerance = 1e-10)
})

test_that("a dropout mask of ones drops nothing", {
  case <- small_case(TRUE)
  ones <- lapply(case$masks, function(mask) mask * 0 + 1)
  expect_identical(oracle_forward(case$weights, case$x, 2, ones), oracle_forward(case$weights, case$x, 2))
  expect_false(identical(oracle_forward(case$weights, case$x, 2, case$masks), oracle_forward(case$weights, case$x, 2)))
})

test_that("input that does not fit the model is refused, and the message says why", {
  case <- small_case(TRUE)
  forward <- function(x, n_head = 2, masks = NULL) oracle_forward(case$weights, x, n_head, masks)
  expect_error(forward(c(1, 2)), "x must be a matrix of ids")
  expect_error(forward(matrix(1, 1, 6)), "x has 6 positions, the model takes 1 to 5")
  expect_error(forward(matrix(7, 1, 2)), "ids must be whole numbers from 1 to 6")
  expect_error(forward(matrix(1.5, 1, 2)), "ids must be whole numbers from 1 to 6")
  expect_error(forward(case$x, 3), "n_embd = 4 cannot be shared by 3 heads")
  expect_error(forward(case$x, 2, list(embeding = 1)), "unexpected: embeding")
  expect_error(oracle_gradients(case$weights, case$x, case$y, 2, padding_row = "x"), "must be \"r\" or \"corrected\"")
  expect_error(oracle_loss(logits_of(case), case$y + 6), "targets must be whole numbers from 1 to 6")
})
