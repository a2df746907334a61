# The layers that look at one position at a time, each with its derivative beside it.
# x is a matrix (rows, n), one row a position. L is the loss, and d_a stands for dL/da.

#' Add a vector (n) to every row of a matrix (rows, n).
add_to_rows <- function(x, vector) x + rep(as.vector(vector), each = nrow(x))

#' y = x W' + b. x (rows, n_in), weight (n_out, n_in), bias (n_out) or NULL -> (rows, n_out).
#' R torch: nn_linear.
linear <- function(x, weight, bias = NULL) {
  y <- tcrossprod(x, weight)
  if (is.null(bias)) y else add_to_rows(y, bias)
}

#' d_x = d_y W, d_W = d_y' x, d_b = the column sums of d_y.
linear_backward <- function(d_y, x, weight) {
  list(x = d_y %*% weight, weight = crossprod(d_y, x), bias = colSums(d_y))
}

#' The largest entry of each row.
row_max <- function(x) apply(x, 1, max)

#' softmax of each row: w_ij = exp(E_ij) / sum_l exp(E_il). The row's largest entry is taken off first, so that exp()
#' cannot overflow.
#'
#' @param scores a matrix (rows, n); -Inf gives a weight of 0.
#' @return weights (rows, n); each row sums to 1.
#' @source exercise 1, the matrix of weights W.
#' @export
softmax <- function(scores) {
  e <- exp(scores - row_max(scores))
  e / rowSums(e)
}

#' w_j = exp(s_j) / sum_l exp(s_l) gives dw_j/ds_l = w_j (1[j = l] - w_l), hence
#' d_s = w * (d_w - sum_j w_j d_w_j), row by row.
softmax_backward <- function(d_w, w) w * (d_w - rowSums(d_w * w))

#' Layer normalisation: h = (x - mean) / sqrt(var + eps), y = weight * h + bias; the variance divides by n (biased).
#'
#' @param x a matrix (rows, n).
#' @param weight,bias vectors (n).
#' @param eps what is added to the variance.
#' @return list(y, h, deviation): y (rows, n), and h and sqrt(var + eps), which the derivative needs.
#' @source R torch: nn_layer_norm with its default eps = 1e-5.
#' @export
layer_norm <- function(x, weight, bias, eps = 1e-5) {
  centred <- x - rowMeans(x)
  deviation <- sqrt(rowMeans(centred^2) + eps)
  h <- centred / deviation
  list(y = add_to_rows(h * rep(as.vector(weight), each = nrow(x)), bias), h = h, deviation = deviation)
}

#' d_weight = sum over rows of d_y h, d_bias = sum over rows of d_y, and with d_h = d_y weight
#' d_x = (d_h - mean(d_h) - h mean(d_h h)) / sqrt(var + eps): the two means are the parts of d_h
#' that run through the row's mean and through its variance.
layer_norm_backward <- function(d_y, norm, weight) {
  d_h <- d_y * rep(as.vector(weight), each = nrow(d_y))
  d_x <- (d_h - rowMeans(d_h) - norm$h * rowMeans(d_h * norm$h)) / norm$deviation
  list(x = d_x, weight = colSums(d_y * norm$h), bias = colSums(d_y))
}

#' gelu(x) = x P(Z <= x), Z standard normal: the exact one, not the tanh approximation.
#' Hendrycks & Gimpel 2016; R torch: nn_gelu.
gelu <- function(x) x * pnorm(x)

#' (x Phi(x))' = Phi(x) + x phi(x).
gelu_backward <- function(d_y, x) d_y * (pnorm(x) + x * dnorm(x))

#' Dropout with a given mask: zeros where dropped, 1 / (1 - p) elsewhere; NULL drops nothing.
#' The mask multiplies the derivative just as it multiplies the value. R torch: nn_dropout.
dropout <- function(x, mask) if (is.null(mask)) x else x * as.vector(mask)

#' FFN(x) = dropout(W2 gelu(W1 x + b1) + b2). x (rows, n_embd) -> (rows, n_embd). Exercise 2.
ffn <- function(x, w, mask) {
  inner <- linear(x, w$weight_0, w$bias_0)
  active <- gelu(inner)
  list(y = dropout(linear(active, w$weight_2, w$bias_2), mask), inner = inner, active = active)
}

#' The chain rule through ffn(), last step first. `kept` is what ffn() returned for x.
ffn_backward <- function(d_y, x, kept, w, mask) {
  second <- linear_backward(dropout(d_y, mask), kept$active, w$weight_2)
  first <- linear_backward(gelu_backward(second$x, kept$inner), x, w$weight_0)
  list(x = first$x, weight_0 = first$weight, bias_0 = first$bias,
       weight_2 = second$weight, bias_2 = second$bias)
}
