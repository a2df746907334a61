# The course's two models. Each is what a function returns, so that sourcing this file needs no torch.
#
# Mended against the PDF: the multiplication sign of `4 * n_embd` was lost, and a line
# `R^{d_{model}}` stands in GPT's initialize: the tail of a comment, no code. It is left out.
# The order in which the modules are built decides which random numbers each gets.

#' What both models' initialize() builds for the feed-forward part of every block. Exercises 2 and 3.
ffn_modules <- function(n_embd, N_Layers, p0) {
  torch::nn_module_list(lapply(
    1:N_Layers,
    function(x) {
      torch::nn_sequential(
        torch::nn_linear(n_embd, 4 * n_embd),
        torch::nn_gelu(),
        torch::nn_linear(4 * n_embd, n_embd),
        torch::nn_dropout(p0)
      )
    }
  ))
}

#' TRUE above the diagonal, (k, k): M_ij = -Inf where j > i (the future). Exercise 2, forward().
future_mask <- function(k, device) {
  wei <- torch::torch_zeros(k, k, dtype = torch::torch_bool(), device = device)
  wei[upper.tri(wei)] <- 1
  wei
}

#' The model with attention: h' = h + MHA(LN(h)), h_next = h' + FFN(LN(h')).
#'
#' @return the generator that nn_module() makes. It takes block_size, n_embd, N_Layers, nvoc, Head and p0; the module
#'   takes R ids (batch, k) and returns logits (batch, k, nvoc).
#' @source exercise 2, GPT.
#' @export
gpt_module <- function() {
  torch::nn_module(
    name = "GPT",
    initialize = function(block_size, n_embd, N_Layers, nvoc, Head, p0 = 0.1) {
      self$N <- N_Layers
      self$block_size <- block_size
      self$head_dim <- n_embd / Head
      self$wpe <- torch::nn_embedding(block_size, n_embd)
      self$wte <- torch::nn_embedding(nvoc, n_embd, padding_idx = 1)
      # MHA(X) = Concat(head_1, ..., head_H) U_O
      # head_h = Softmax( (X U_Q)(X U_K)^T / sqrt(d_k) + M ) (X U_V)
      self$MH <- torch::nn_module_list(lapply(
        1:N_Layers,
        function(x) torch::nn_multihead_attention(embed_dim = n_embd, num_heads = Head, dropout = p0)
      ))
      self$scale1 <- torch::nn_module_list(lapply(1:N_Layers, function(x) torch::nn_layer_norm(n_embd)))
      self$scale2 <- torch::nn_module_list(lapply(1:N_Layers, function(x) torch::nn_layer_norm(n_embd)))
      self$scale3 <- torch::nn_layer_norm(n_embd, elementwise_affine = TRUE)
      self$FFN <- ffn_modules(n_embd, N_Layers, p0)
      self$ln_f <- torch::nn_linear(n_embd, nvoc, bias = FALSE)
      self$drop0 <- torch::nn_dropout(p = p0)
    },
    forward = function(x) {
      B <- x$size(1)
      k <- x$size(2)
      x1 <- torch::torch_arange(1, k, dtype = torch::torch_int(), device = x$device)$unsqueeze(1)
      # h_0 = Embed(x) + Pos(x)
      output <- self$wte(x) + self$wpe(x1)
      output <- self$drop0(output)
      wei <- future_mask(k, x$device)
      for (j in 1:self$N) {
        output_norm <- self$scale1[[j]](output)
        Q <- torch::torch_transpose(output_norm, 1, 2)
        mha_out <- self$MH[[j]](query = Q, key = Q, value = Q, attn_mask = wei, need_weights = FALSE)[[1]]
        mha_out <- torch::torch_transpose(mha_out, 1, 2)
        # h' = h + MHA(LN(h))
        output <- output + mha_out
        # h_next = h' + FFN(LN(h'))
        output <- output + self$FFN[[j]](self$scale2[[j]](output))
      }
      # P(X_t | X_<t) = softmax(logits)
      output <- self$ln_f(self$scale3(output))
      return(output)
    }
  )
}

#' The model without attention: h_next = h + FFN(LN(h)).
#'
#' @return as gpt_module(). Head is taken and not used.
#' @source exercise 3, GPT_NoAttn.
#' @export
gpt_noattn_module <- function() {
  torch::nn_module(
    name = "GPT_NoAttn",
    initialize = function(block_size, n_embd, N_Layers, nvoc, Head, p0 = 0.1) {
      self$N <- N_Layers
      self$block_size <- block_size
      self$wpe <- torch::nn_embedding(block_size, n_embd)
      self$wte <- torch::nn_embedding(nvoc, n_embd, padding_idx = 1)
      self$scale2 <- torch::nn_module_list(lapply(1:N_Layers, function(x) torch::nn_layer_norm(n_embd)))
      self$scale3 <- torch::nn_layer_norm(n_embd, elementwise_affine = TRUE)
      self$FFN <- ffn_modules(n_embd, N_Layers, p0)
      self$ln_f <- torch::nn_linear(n_embd, nvoc, bias = FALSE)
      self$drop0 <- torch::nn_dropout(p = p0)
    },
    forward = function(x) {
      B <- x$size(1)
      k <- x$size(2)
      x1 <- torch::torch_arange(1, k, dtype = torch::torch_int(), device = x$device)$unsqueeze(1)
      output <- self$wte(x) + self$wpe(x1)
      output <- self$drop0(output)
      for (j in 1:self$N) {
        output <- output + self$FFN[[j]](self$scale2[[j]](output))
      }
      output <- self$ln_f(self$scale3(output))
      return(output)
    }
  )
}
