# A convolutional network for small images: two blocks of convolution, batch norm and pooling, then classes.
library(torch)

Block <- nn_module(
  "Block",
  initialize = function(n_in, n_out) {
    self$conv <- nn_conv2d(n_in, n_out, kernel_size = 3, padding = 1, bias = FALSE)
    self$bn <- nn_batch_norm2d(n_out)
    self$pool <- nn_max_pool2d(2)
  },
  forward = function(x) self$pool(nnf_relu(self$bn(self$conv(x))))
)

Cnn <- nn_module(
  "Cnn",
  initialize = function(channels, n_out, p) {
    self$blocks <- nn_module_list(list(Block(1, channels), Block(channels, 2 * channels)))
    self$drop <- nn_dropout(p)
    self$head <- nn_linear(2 * channels * 2 * 2, n_out)
  },
  forward = function(x) {
    for (i in seq_along(self$blocks)) x <- self$blocks[[i]](x)
    self$head(self$drop(torch_flatten(x, start_dim = 2)))
  }
)

record <- function(path) {
  torch_manual_seed(2)
  images <- torch_randn(12, 1, 8, 8)
  classes <- torch_tensor(rep(1:4, 3), dtype = torch_long())
  record_module(Cnn, images, path, args = list(channels = 4, n_out = 4, p = 0.25), target = classes,
                optimizer = function(parameters, lr) optim_sgd(parameters, lr, momentum = 0.9, weight_decay = 0.001),
                lr = 0.05)
}
