# Laws of the layers.

scores <- function(seed, rows = 5, n = 7) {
  set.seed(seed)
  matrix(rnorm(rows * n, sd = 3), rows)
}

test_that("softmax gives weights that sum to 1 and ignores what is added to a row", {
  for (seed in 1:20) {
    s <- scores(seed)
    w <- softmax(s)
    expect_true(all(w > 0))
    expect_equal(rowSums(w), rep(1, 5), tolerance = 1e-14)
    expect_equal(softmax(s + rnorm(5, sd = 100)), w, tolerance = 1e-12)
    # each ratio is that of the exponentials
    expect_equal(w[, 1] / w[, 2], exp(s[, 1] - s[, 2]), tolerance = 1e-12)
  }
})

test_that("softmax neither overflows nor gives weight to what is masked", {
  expect_equal(softmax(matrix(c(1e4, 1e4, -1e4), 1)), matrix(c(0.5, 0.5, 0), 1))
  expect_identical(softmax(matrix(c(2, -Inf), 1)), matrix(c(1, 0), 1))
})

test_that("layer norm gives rows of mean 0 and of variance v / (v + eps), whatever is added to them", {
  ones <- rep(1, 7)
  for (seed in 1:20) {
    x <- scores(seed)
    y <- layer_norm(x, ones, 0 * ones)$y
    variance <- rowMeans((x - rowMeans(x))^2)
    expect_equal(rowMeans(y), rep(0, 5), tolerance = 1e-14)
    expect_equal(rowMeans(y^2), variance / (variance + 1e-5), tolerance = 1e-12)
    expect_equal(layer_norm(x + 5, ones, 0 * ones)$y, y, tolerance = 1e-12)
    expect_equal(layer_norm(x, 2 * ones, 3 * ones)$y, 2 * y + 3, tolerance = 1e-12)
  }
})

test_that("gelu is the exact one", {
  x <- seq(-6, 6, 0.25)
  expect_equal(gelu(x) - gelu(-x), x, tolerance = 1e-14)
  # 1 * P(Z <= 1); the tanh approximation gives 0.8411920
  expect_equal(gelu(1), 0.8413447460685429, tolerance = 1e-15)
})

test_that("attention is exercise 1's formula, weight by weight", {
  set.seed(3)
  k <- 5
  d <- 6
  n_head <- 2
  d_k <- d / n_head
  x <- matrix(rnorm(k * d), k)
  w <- list(in_proj_weight = matrix(rnorm(3 * d * d), 3 * d), in_proj_bias = rnorm(3 * d),
            out_weight = diag(d), out_bias = rep(0, d))
  result <- attention(x, w, n_head, batch = 1)
  for (h in seq_len(n_head)) {
    rows <- (h - 1) * d_k + seq_len(d_k)
    project <- function(part, i) {
      at <- (part - 1) * d + rows
      as.vector(w$in_proj_weight[at, ] %*% x[i, ]) + w$in_proj_bias[at]
    }
    for (i in seq_len(k)) {
      # w_ij = exp(q_i k_j' / sqrt(d_k)) / sum over l <= i of exp(q_i k_l' / sqrt(d_k))
      e <- vapply(seq_len(i), function(j) exp(sum(project(1, i) * project(2, j)) / sqrt(d_k)), 0)
      expect_equal(result$weights[1, h, i, ], c(e / sum(e), rep(0, k - i)), tolerance = 1e-12)
      z <- Reduce(`+`, lapply(seq_len(i), function(j) e[j] / sum(e) * project(3, j)))
      expect_equal(result$y[i, rows], z, tolerance = 1e-12)
    }
  }
})
