# Masked multi-head attention, written as in exercise 1.
#
# x holds the windows' positions, (batch * k, d); rows[[b]] are those of window b, and X below is
# one window, (k, d). torch keeps U_Q, U_K, U_V of all heads as the rows of one in_proj_weight
# (3 d, d): queries first, keys next, values last, and within each third head after head.

#' Rows of every window in a (batch * k, n) matrix: a list of `batch` vectors of length k.
window_rows <- function(batch, k) lapply(seq_len(batch), function(b) b + batch * (seq_len(k) - 1))

#' The columns of head h among d = n_head * d_k.
head_columns <- function(h, d_k) (h - 1) * d_k + seq_len(d_k)

#' U_Q, U_K, U_V of head h, each (d, d_k), their biases (d_k), and the rows of in_proj they are.
head_weights <- function(w, h, d, d_k) {
  at <- lapply(0:2, function(third) third * d + head_columns(h, d_k))
  list(at = at, U = lapply(at, function(i) t(w$in_proj_weight[i, , drop = FALSE])),
       b = lapply(at, function(i) w$in_proj_bias[i]))
}

#' The mask M: M_ij = 0 where j <= i, -Inf where j > i.
#'
#' @param k the number of positions.
#' @return a matrix (k, k), (query, key).
#' @source exercise 1, "Mascaramento".
#' @export
causal_mask <- function(k) {
  m <- matrix(0, k, k)
  m[upper.tri(m)] <- -Inf
  m
}

#' Masked multi-head attention of every window: MHA(X) = Concat(head_1, ..., head_H) U_O,
#' head_h = softmax(Q K' / sqrt(d_k) + M) V, Q = X U_Q + b_Q, K and V alike.
#'
#' @param x the windows' positions (batch * k, d).
#' @param w list(in_proj_weight, in_proj_bias, out_weight, out_bias): (3 d, d), (3 d), (d, d), (d).
#' @param n_head the number of heads; d_k = d / n_head.
#' @param batch the number of windows.
#' @param mask the weights' dropout (batch, n_head, query, key), or NULL for none.
#' @return list(y, weights, heads, z): y (batch * k, d), the weights W before dropout (batch, n_head, query, key),
#'   and for the derivative Q, K, V (a list by head) and Z (batch * k, d).
#' @source exercise 1; the biases and the dropout on the weights: R torch's nn_multihead_attention.
#' @export
attention <- function(x, w, n_head, batch, mask = NULL) {
  d <- ncol(x)
  k <- nrow(x) / batch
  d_k <- d / n_head
  m <- causal_mask(k)
  rows <- window_rows(batch, k)
  z <- matrix(0, nrow(x), d)
  weights <- array(0, c(batch, n_head, k, k))
  heads <- vector("list", n_head)
  for (h in seq_len(n_head)) {
    hw <- head_weights(w, h, d, d_k)
    Q <- add_to_rows(x %*% hw$U[[1]], hw$b[[1]])
    K <- add_to_rows(x %*% hw$U[[2]], hw$b[[2]])
    V <- add_to_rows(x %*% hw$U[[3]], hw$b[[3]])
    for (b in seq_len(batch)) {
      i <- rows[[b]]
      W <- softmax(Q[i, , drop = FALSE] %*% t(K[i, , drop = FALSE]) / sqrt(d_k) + m)
      weights[b, h, , ] <- W
      z[i, head_columns(h, d_k)] <- dropout(W, mask[b, h, , ]) %*% V[i, , drop = FALSE]
    }
    heads[[h]] <- list(Q = Q, K = K, V = V)
  }
  # U_O = t(out_proj.weight)
  list(y = linear(z, w$out_weight, w$out_bias), weights = weights, heads = heads, z = z)
}

#' The derivative of attention(), by hand. With D the dropout mask and W~ = W * D, for one head:
#'   Z = W~ V         gives  d_W~ = d_Z V',  d_V = W~' d_Z,  and  d_W = d_W~ * D
#'   W = softmax(E)   gives  d_E = W * (d_W - rowSums(d_W * W));  E = S + M, so d_S = d_E
#'   S = Q K' / sqrt(d_k)  gives  d_Q = d_S K / sqrt(d_k),  d_K = d_S' Q / sqrt(d_k)
#'   Q = X U_Q + b_Q  gives  d_U_Q = X' d_Q,  d_b_Q = colSums(d_Q),  and d_Q U_Q' joins d_X;
#' K and V alike. The rows of d_S sum to zero, so d_b_K = 0 but for rounding: adding the same
#' vector to every key adds a constant to each row of S, which softmax does not see.
attention_backward <- function(d_y, x, kept, w, n_head, batch, mask = NULL) {
  d <- ncol(x)
  d_k <- d / n_head
  out <- linear_backward(d_y, kept$z, w$out_weight)
  d_x <- matrix(0, nrow(x), d)
  d_weight <- matrix(0, 3 * d, d)
  d_bias <- numeric(3 * d)
  for (h in seq_len(n_head)) {
    d_head <- head_backward(out$x[, head_columns(h, d_k), drop = FALSE], kept, h, batch, mask)
    hw <- head_weights(w, h, d, d_k)
    for (part in 1:3) {
      d_weight[hw$at[[part]], ] <- t(crossprod(x, d_head[[part]]))
      d_bias[hw$at[[part]]] <- colSums(d_head[[part]])
      d_x <- d_x + d_head[[part]] %*% t(hw$U[[part]])
    }
  }
  list(x = d_x, in_proj_weight = d_weight, in_proj_bias = d_bias,
       out_weight = out$weight, out_bias = out$bias)
}

#' d_Q, d_K, d_V of head h from its d_Z, each (batch * k, d_k): the first three lines above.
head_backward <- function(d_z, kept, h, batch, mask) {
  d_k <- ncol(d_z)
  head <- kept$heads[[h]]
  grad <- list(Q = d_z, K = d_z, V = d_z)
  for (i in window_rows(batch, nrow(d_z) / batch)) {
    b <- i[1]
    D <- mask[b, h, , ]
    W <- matrix(kept$weights[b, h, , ], length(i))
    dz <- d_z[i, , drop = FALSE]
    d_W <- dropout(dz %*% t(head$V[i, , drop = FALSE]), D)
    d_S <- softmax_backward(d_W, W)
    grad$Q[i, ] <- d_S %*% head$K[i, , drop = FALSE] / sqrt(d_k)
    grad$K[i, ] <- t(d_S) %*% head$Q[i, , drop = FALSE] / sqrt(d_k)
    grad$V[i, ] <- t(dropout(W, D)) %*% dz
  }
  grad
}
