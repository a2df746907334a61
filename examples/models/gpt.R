# A small GPT whose output layer shares its weights with the embedding.
library(torch)

Layer <- nn_module(
  "Layer",
  initialize = function(n_embd, n_head, p) {
    self$norm1 <- nn_layer_norm(n_embd)
    self$attn <- nn_multihead_attention(n_embd, n_head, dropout = p, batch_first = TRUE)
    self$norm2 <- nn_layer_norm(n_embd)
    self$ffn <- nn_sequential(nn_linear(n_embd, 4 * n_embd), nn_gelu(), nn_linear(4 * n_embd, n_embd), nn_dropout(p))
  },
  forward = function(x, mask) {
    n <- self$norm1(x)
    x <- x + self$attn(n, n, n, attn_mask = mask)[[1]]
    x + self$ffn(self$norm2(x))
  }
)

Gpt <- nn_module(
  "Gpt",
  initialize = function(nvoc, block_size, n_embd, n_layer, n_head, p) {
    self$wte <- nn_embedding(nvoc, n_embd)
    self$wpe <- nn_embedding(block_size, n_embd)
    self$drop <- nn_dropout(p)
    # numbered from 1, as R does
    for (j in 1:n_layer) self$add_module(paste0("layer", j), Layer(n_embd, n_head, p))
    self$n_layer <- n_layer
    self$norm <- nn_layer_norm(n_embd)
    self$head <- nn_linear(n_embd, nvoc, bias = FALSE)
    self$head$weight <- self$wte$weight
  },
  forward = function(ids) {
    k <- ids$size(2)
    x <- self$drop(self$wte(ids) + self$wpe(torch_arange(1, k, dtype = torch_long())))
    mask <- torch_ones(k, k)$triu(diagonal = 1)$to(dtype = torch_bool())
    for (j in 1:self$n_layer) x <- self[[paste0("layer", j)]](x, mask)
    self$head(self$norm(x))
  }
)

record <- function(path) {
  ids <- 1 + (seq_len(39) * 7919) %% 10007 %% 11
  windows <- matrix(ids, nrow = 3, byrow = TRUE)
  tensor <- function(m) torch_tensor(m, dtype = torch_long())
  record_module(Gpt, list(ids = tensor(windows[, 1:8])), path,
                args = list(nvoc = 11, block_size = 8, n_embd = 12, n_layer = 2, n_head = 2, p = 0.1),
                target = tensor(windows[, 2:9]))
}
