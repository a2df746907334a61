# Clip, AdamW and the training loop; two steps of AdamW and the clip's coefficient are in test-check.R.

test_that("a gradient within the norm is left as it is, a longer one gets the norm, but for 1e-6", {
  gradients <- list(a = array(c(3, 0), 2), b = array(4, c(1, 1)))
  expect_identical(oracle_clip(gradients, 5.1), list(norm = 5, gradients = gradients))
  for (max_norm in c(4.9, 1, 0.01)) {
    clipped <- oracle_clip(gradients, max_norm)
    expect_identical(clipped$norm, 5)
    expect_equal(sqrt(sum(unlist(clipped$gradients)^2)), max_norm * 5 / 5.000001, tolerance = 1e-14)
    expect_equal(clipped$gradients$b[1] / clipped$gradients$a[1], 4 / 3, tolerance = 1e-14)
  }
})

test_that("AdamW's first step is the decay and lr g / (|g| + eps)", {
  set.seed(1)
  weights <- list(w = matrix(rnorm(6), 2), b = array(rnorm(3), 3))
  gradients <- list(w = matrix(10^(-3:2), 2), b = array(c(0, -1e-9, -5), 3))
  stepped <- oracle_adamw_step(weights, gradients, oracle_adamw_start(weights), lr = 0.01)
  expect_identical(stepped$state$step, 1)
  for (name in names(weights)) {
    g <- gradients[[name]]
    expected <- weights[[name]] * (1 - 0.01 * 0.01) - 0.01 * g / (abs(g) + 1e-8)
    expect_equal(stepped$weights[[name]], expected, tolerance = 1e-13)
  }
  # without a gradient a weight only decays
  expect_identical(stepped$weights$b[1], weights$b[1] * (1 - 0.01 * 0.01))
})

test_that("every weight needs a gradient", {
  weights <- list(w = array(1, 1), b = array(1, 1))
  expect_error(oracle_adamw_step(weights, weights["w"], oracle_adamw_start(weights), 0.1), "no gradient for: b")
})

test_that("a training goes on from its state as if it had not been interrupted", {
  batches <- lapply(1:3, function(seed) small_case(TRUE, seed)[c("x", "y", "masks")])
  weights <- small_case(TRUE, 9)$weights
  train <- function(weights, batches, ...) oracle_train(weights, batches, 2, lr = 0.01, max_norm = 1, ...)
  whole <- train(weights, batches)
  first <- train(weights, batches[1])
  rest <- train(first$weights, batches[2:3], state = first$state)
  expect_identical(rest$weights, whole$weights)
  expect_identical(c(first$losses, rest$losses), whole$losses)
  expect_identical(c(first$state$step, whole$state$step), c(1, 3))
  expect_equal(whole$running_mean, mean(whole$losses), tolerance = 1e-14)
})

test_that("a batch that is seen again and again is learnt, and validation uses no dropout", {
  case <- small_case(TRUE)
  batch <- list(x = case$x, y = case$y)
  trained <- oracle_train(case$weights, rep(list(batch), 30), 2, lr = 0.03, max_norm = 1)
  expect_lt(trained$losses[30], trained$losses[1] / 2)
  # a training step does use the masks
  with_dropout <- oracle_train(case$weights, list(c(batch, list(masks = case$masks))), 2, lr = 0.03, max_norm = 1)
  dropped <- oracle_forward(case$weights, case$x, 2, case$masks)$act.logits
  expect_identical(with_dropout$losses, oracle_loss(dropped, case$y))
  again <- oracle_validate(case$weights, list(c(batch, list(masks = case$masks)), batch), 2)
  expect_identical(again$losses, rep(trained$losses[1], 2))
})
