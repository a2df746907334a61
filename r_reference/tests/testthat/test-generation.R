# oracle_generate(): 5 ids at most are seen, there are 6 ids.

case <- small_case(TRUE, 5)
generate <- function(prompt, ...) oracle_generate(case$weights, prompt, case$n_head, block_size = 5, ...)

test_that("a prompt is kept and continued; waiting times that are all alike draw the likeliest id", {
  ids <- generate(c(2, 3), new_tokens = 8)
  expect_identical(dim(ids), c(1L, 10L))
  expect_identical(ids[1:2], c(2, 3))
  expect_identical(generate(c(2, 3), new_tokens = 8, draws = matrix(1, 8, 6)), ids)
  # the first is the likeliest of the model's logits
  expect_identical(ids[3], as.numeric(which.max(logits_of(case, matrix(c(2, 3), 1))[1, 2, ])))
})

test_that("the id whose waiting time is short is drawn, PAD too", {
  for (id in 1:6) {
    draws <- matrix(1, 4, 6)
    draws[, id] <- 1e-200
    expect_identical(generate(3, new_tokens = 4, draws = draws)[-1], rep(as.numeric(id), 4))
  }
})

test_that("the last block_size ids count, and they alone", {
  set.seed(2)
  for (i in 1:30) {
    prompt <- sample.int(6, 7, replace = TRUE)
    likeliest <- which.max(logits_of(case, matrix(prompt[3:7], 1))[1, 5, ])
    expect_identical(generate(prompt, new_tokens = 1)[8], likeliest)
  }
})

test_that("ids are drawn with the model's probabilities at the temperature", {
  set.seed(1)
  n <- 1000
  probs <- as.vector(softmax(matrix(logits_of(case, matrix(4, 1))[1, 1, ] / 2, 1)))
  drawn <- replicate(n, generate(4, new_tokens = 1, temperature = 2, draws = matrix(rexp(6), 1))[2])
  share <- tabulate(drawn, 6) / n
  # four standard deviations
  expect_true(all(abs(share - probs) < 4 * sqrt(probs * (1 - probs) / n)))
})

test_that("a call that does not fit is refused", {
  expect_error(generate(numeric(0), new_tokens = 1), "the prompt is empty")
  expect_error(generate(2, new_tokens = 2, draws = matrix(1, 1, 6)),
               "draws must be a matrix, (new_tokens, nvoc) = (2, 6)", fixed = TRUE)
})
