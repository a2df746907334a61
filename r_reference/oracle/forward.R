# The models' forward pass, with every intermediate by name, and the loss.

#' One block's weights under short names; j counts from 1, R's names from 0.
block_weights <- function(weights, j) {
  get <- function(format) weights[[sprintf(format, j - 1)]]
  list(scale1 = list(weight = get("scale1.%d.weight"), bias = get("scale1.%d.bias")),
       mh = list(in_proj_weight = get("MH.%d.in_proj_weight"), in_proj_bias = get("MH.%d.in_proj_bias"),
                 out_weight = get("MH.%d.out_proj.weight"), out_bias = get("MH.%d.out_proj.bias")),
       scale2 = list(weight = get("scale2.%d.weight"), bias = get("scale2.%d.bias")),
       ffn = list(weight_0 = get("FFN.%d.0.weight"), bias_0 = get("FFN.%d.0.bias"),
                  weight_2 = get("FFN.%d.2.weight"), bias_2 = get("FFN.%d.2.bias")))
}

#' Stop where ids, heads or dropout masks do not fit the model. x (batch, k), R ids.
check_input <- function(settings, x, n_head, masks) {
  if (length(dim(x)) != 2) stop("x must be a matrix of ids, (batch, k)")
  if (ncol(x) < 1 || ncol(x) > settings$block_size) {
    stop("x has ", ncol(x), " positions, the model takes 1 to ", settings$block_size)
  }
  if (!all(x %in% seq_len(settings$nvoc))) stop("ids must be whole numbers from 1 to ", settings$nvoc)
  if (settings$attention && (n_head < 1 || settings$n_embd %% n_head != 0)) {
    stop("n_embd = ", settings$n_embd, " cannot be shared by ", n_head, " heads")
  }
  masks <- Filter(Negate(is.null), masks)
  expected <- mask_shapes(settings, nrow(x), ncol(x), n_head)
  problems <- shape_problems(lapply(masks, shape_of), expected[intersect(names(expected), names(masks))])
  if (length(problems) > 0) stop("dropout masks: ", paste(problems, collapse = "; "))
}

#' The dropout masks that a training step takes. A mask holds 0 where a number is dropped and 1 / (1 - p) elsewhere.
#'
#' @param settings what oracle_settings() returns.
#' @param batch,k the number of windows and of positions in each.
#' @param n_head the number of heads.
#' @return a named list of shapes, in the order in which torch draws the masks: embedding (batch, k, n_embd), and for
#'   each block j from 1 blockJ.attn_weights (batch, head, query, key) and blockJ.ffn (batch, k, n_embd).
#' @export
mask_shapes <- function(settings, batch, k, n_head) {
  shapes <- list(embedding = c(batch, k, settings$n_embd))
  for (j in seq_len(settings$n_layer)) {
    if (settings$attention) shapes[[sprintf("block%d.attn_weights", j)]] <- c(batch, n_head, k, k)
    shapes[[sprintf("block%d.ffn", j)]] <- c(batch, k, settings$n_embd)
  }
  shapes
}

#' One block: h' = h + MHA(LN(h)), next h = h' + FFN(LN(h')); without attention h' = h.
#' h (batch * k, n_embd); returns every intermediate. Exercises 2 and 3, forward().
block_forward <- function(h, w, n_head, batch, masks, j, has_attention) {
  kept <- list()
  if (has_attention) {
    kept$scale1 <- layer_norm(h, w$scale1$weight, w$scale1$bias)
    kept$mha <- attention(kept$scale1$y, w$mh, n_head, batch, masks[[sprintf("block%d.attn_weights", j)]])
    h <- h + kept$mha$y
  }
  kept$scale2 <- layer_norm(h, w$scale2$weight, w$scale2$bias)
  kept$ffn <- ffn(kept$scale2$y, w$ffn, masks[[sprintf("block%d.ffn", j)]])
  kept$output <- h + kept$ffn$y
  kept
}

#' The whole pass, keeping what the derivative needs. Everything as (batch * k, n) matrices.
forward_pass <- function(weights, x, n_head, masks = NULL) {
  settings <- oracle_settings(weights)
  check_input(settings, x, n_head, masks)
  batch <- nrow(x)
  positions <- rep(seq_len(ncol(x)), each = batch)
  # h_0 = wte[id] + wpe[position]
  h <- weights$wte.weight[as.vector(x), , drop = FALSE] + weights$wpe.weight[positions, , drop = FALSE]
  pass <- list(settings = settings, positions = positions, h0 = dropout(h, masks$embedding),
               blocks = vector("list", settings$n_layer))
  h <- pass$h0
  for (j in seq_len(settings$n_layer)) {
    pass$blocks[[j]] <- block_forward(h, block_weights(weights, j), n_head, batch, masks, j, settings$attention)
    h <- pass$blocks[[j]]$output
  }
  pass$scale3 <- layer_norm(h, weights$scale3.weight, weights$scale3.bias)
  pass$logits <- linear(pass$scale3$y, weights$ln_f.weight)
  pass
}

#' A pass as named activations in torch's shapes, in the order in which they arise.
named_activations <- function(pass, batch) {
  fold <- function(m) array(m, c(batch, nrow(m) / batch, ncol(m)))
  act <- list(act.embedding = fold(pass$h0))
  for (j in seq_along(pass$blocks)) {
    kept <- pass$blocks[[j]]
    block <- c(if (!is.null(kept$mha)) list(scale1 = fold(kept$scale1$y), attn_weights = kept$mha$weights,
                                            attn = fold(kept$mha$y)),
               list(scale2 = fold(kept$scale2$y), ffn = fold(kept$ffn$y), output = fold(kept$output)))
    act <- c(act, setNames(block, sprintf("act.block%d.%s", j, names(block))))
  }
  c(act, list(act.scale3 = fold(pass$scale3$y), act.logits = fold(pass$logits)))
}

#' Every activation of the model.
#'
#' @param weights a named list of arrays under R's state_dict() names, with torch's shapes. The model without
#'   attention is the one without MH.*.
#' @param x a matrix of R ids (batch, k), 1-based, PAD = 1; k is block_size at most.
#' @param n_head the number of heads. The model without attention has none and takes any number.
#' @param masks dropout masks by the names of mask_shapes(). One left out drops nothing, NULL none at all.
#' @return a named list of arrays in the order in which they arise. act.embedding (batch, k, n_embd) is what block 1
#'   gets, so after dropout; act.blockJ.attn_weights (batch, head, query, key) are before dropout, act.blockJ.ffn
#'   after; act.logits (batch, k, nvoc).
#' @source exercises 2 and 3, forward().
#' @export
oracle_forward <- function(weights, x, n_head, masks = NULL) {
  named_activations(forward_pass(weights, x, n_head, masks), nrow(x))
}

#' log softmax of each row: s - log(sum(exp(s))), the largest entry taken off first.
log_softmax <- function(scores) {
  shifted <- scores - row_max(scores)
  shifted - log(rowSums(exp(shifted)))
}

#' Mean cross entropy over all positions: -mean(log p(y)).
#'
#' @param logits an array (batch, k, nvoc).
#' @param y the next ids (batch, k), R ids.
#' @return one number, in nats.
#' @source exercise 2, L(theta); the course's nn_cross_entropy_wrapper.
#' @export
oracle_loss <- function(logits, y) {
  nvoc <- dim(logits)[3]
  if (!identical(as.numeric(dim(y)), as.numeric(dim(logits)[1:2]))) stop("y must be a matrix, (batch, k)")
  if (!all(y %in% seq_len(nvoc))) stop("targets must be whole numbers from 1 to ", nvoc)
  log_p <- log_softmax(matrix(logits, length(y), nvoc))
  -mean(log_p[cbind(seq_along(y), as.vector(y))])
}
