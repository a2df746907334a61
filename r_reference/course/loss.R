# The course's loss (exercises 2 and 3).

#' Mean cross entropy over all positions: input (batch, k, nvoc), target (batch, k) of R ids.
#' Returns the generator that nn_module() makes.
nn_cross_entropy_wrapper <- function() torch::nn_module(
  initialize = function() {
    self$loss <- torch::nn_cross_entropy_loss()
  },
  forward = function(input, target) {
    self$loss(input$reshape(c(-1, input$size(3))), target$reshape(c(-1)))
  }
)
