# The gradient of the loss, derived by hand: each layer's chain rule stands beside the layer in
# layers.R and attention.R; this file goes backwards through the model.

#' d_logits of the mean cross entropy. With p = softmax(s), L = -mean(log p_y):
#' dL/ds = (p - onehot(y)) / rows. logits (rows, nvoc), y (rows) -> (rows, nvoc).
cross_entropy_backward <- function(logits, y) {
  d <- softmax(logits)
  at <- cbind(seq_along(y), y)
  d[at] <- d[at] - 1
  d / length(y)
}

#' Sum of the rows of d_h that looked up the same row of a table: d_table[r, ] = sum of d_h[i, ]
#' over i with index[i] = r. R torch: torch_embedding's derivative.
embedding_backward <- function(d_h, index, n_rows) {
  sums <- rowsum(d_h, index)
  table <- matrix(0, n_rows, ncol(d_h))
  table[as.integer(rownames(sums)), ] <- sums
  table
}

#' The row of wte that gets no gradient. R torch zeroes R row 1 (PAD), but nnf_embedding hands
#' padding_idx = 1 to libtorch, which counts from 0, so the row left without gradient is R row 2.
padding_row_number <- function(padding_row) {
  switch(padding_row, r = 2L, corrected = 1L,
         stop("padding_row must be \"r\" or \"corrected\", not \"", padding_row, "\""))
}

#' Back through one block: h' = h + MHA(LN(h)), next h = h' + FFN(LN(h')). A sum hands its
#' derivative to both its terms, so d_h' = d_next + (through FFN), d_h = d_h' + (through MHA).
#' Returns d_h, the block's input derivative, and the gradients under R's names.
block_backward <- function(d_next, kept, w, n_head, batch, masks, j) {
  f <- ffn_backward(d_next, kept$scale2$y, kept$ffn, w$ffn, masks[[sprintf("block%d.ffn", j)]])
  s2 <- layer_norm_backward(f$x, kept$scale2, w$scale2$weight)
  d_h <- d_next + s2$x
  grads <- list(scale2.weight = s2$weight, scale2.bias = s2$bias, FFN.0.weight = f$weight_0,
                FFN.0.bias = f$bias_0, FFN.2.weight = f$weight_2, FFN.2.bias = f$bias_2)
  if (!is.null(kept$mha)) {
    a <- attention_backward(d_h, kept$scale1$y, kept$mha, w$mh, n_head, batch,
                            masks[[sprintf("block%d.attn_weights", j)]])
    s1 <- layer_norm_backward(a$x, kept$scale1, w$scale1$weight)
    d_h <- d_h + s1$x
    grads <- c(grads, list(scale1.weight = s1$weight, scale1.bias = s1$bias,
                           MH.in_proj_weight = a$in_proj_weight, MH.in_proj_bias = a$in_proj_bias,
                           MH.out_proj.weight = a$out_weight, MH.out_proj.bias = a$out_bias))
  }
  # KIND.REST becomes KIND.BLOCK.REST
  names(grads) <- sub(".", paste0(".", j - 1, "."), names(grads), fixed = TRUE)
  list(h = d_h, gradients = grads)
}

#' The loss and its gradient, derived by hand.
#'
#' @param weights,x,n_head,masks as for oracle_forward().
#' @param y the next ids (batch, k), R ids.
#' @param padding_row "r" leaves R row 2 of wte without gradient, as R torch does; "corrected" R row 1, PAD.
#' @return list(loss, gradients, activations): the loss in nats, the gradients named and shaped like the weights, and
#'   what oracle_forward() returns.
#' @source exercises 2 and 3; the derivatives stand beside the layers in layers.R and attention.R.
#' @export
oracle_gradients <- function(weights, x, y, n_head, masks = NULL, padding_row = "r") {
  without_gradient <- padding_row_number(padding_row)
  pass <- forward_pass(weights, x, n_head, masks)
  activations <- named_activations(pass, nrow(x))
  loss <- oracle_loss(activations$act.logits, y)

  head <- linear_backward(cross_entropy_backward(pass$logits, as.vector(y)), pass$scale3$y, weights$ln_f.weight)
  s3 <- layer_norm_backward(head$x, pass$scale3, weights$scale3.weight)
  grads <- list(ln_f.weight = head$weight, scale3.weight = s3$weight, scale3.bias = s3$bias)
  d_h <- s3$x
  for (j in rev(seq_along(pass$blocks))) {
    back <- block_backward(d_h, pass$blocks[[j]], block_weights(weights, j), n_head, nrow(x), masks, j)
    d_h <- back$h
    grads <- c(grads, back$gradients)
  }
  d_h <- dropout(d_h, masks$embedding)
  grads$wpe.weight <- embedding_backward(d_h, pass$positions, pass$settings$block_size)
  grads$wte.weight <- embedding_backward(d_h, as.vector(x), pass$settings$nvoc)
  grads$wte.weight[without_gradient, ] <- 0
  list(loss = loss, gradients = shaped_like(grads, weights), activations = activations)
}
