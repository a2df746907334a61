# A multilayer perceptron: two layers, layer norm, GELU, dropout.
library(torch)

Mlp <- nn_module(
  "Mlp",
  initialize = function(n_in, n_hidden, n_out, p) {
    self$fc1 <- nn_linear(n_in, n_hidden)
    self$norm <- nn_layer_norm(n_hidden)
    self$act <- nn_gelu()
    self$drop <- nn_dropout(p)
    self$fc2 <- nn_linear(n_hidden, n_out)
  },
  forward = function(x) {
    h <- self$act(self$norm(self$fc1(x)))
    self$fc2(self$drop(h))
  }
)

record <- function(path) {
  torch_manual_seed(1)
  x <- torch_randn(16, 6)
  classes <- torch_tensor(rep(1:3, length.out = 16), dtype = torch_long())
  record_module(Mlp, x, path, args = list(n_in = 6, n_hidden = 12, n_out = 3, p = 0.2), target = classes)
}
