# What residual.safetensors was recorded of, with R torch, from the checkout's root: Rscript tests/module_grading/residual.R
library(torch)
source("r_reference/record_module.R")
torch_set_num_threads(1)

Block <- nn_module(
  "Block",
  initialize = function(d, p) {
    self$ln <- nn_layer_norm(d)
    self$fc1 <- nn_linear(d, 2 * d)
    self$fc2 <- nn_linear(2 * d, d)
    self$drop <- nn_dropout(p)
    self$act <- nn_gelu()
  },
  forward = function(x) x + self$drop(self$fc2(self$act(self$fc1(self$ln(x)))))
)
Net <- nn_module(
  "Net",
  initialize = function(vocab, d, p, n) {
    self$emb <- nn_embedding(vocab, d, padding_idx = 1)
    self$blocks <- nn_module_list(lapply(seq_len(n), function(i) Block(d, p)))
    self$head <- nn_linear(d, vocab)
  },
  forward = function(x) {
    h <- self$emb(x)
    for (i in seq_along(self$blocks)) h <- self$blocks[[i]](h)
    self$head(h)
  }
)

torch_manual_seed(1)
x <- torch_randint(1, 12, c(3, 5), dtype = torch_long())
y <- torch_randint(1, 12, c(3, 5), dtype = torch_long())
record_module(Net, x, "tests/module_grading/residual.safetensors",
              args = list(vocab = 11, d = 8, p = 0.2, n = 2), target = y, steps = 5)
