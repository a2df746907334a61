# The course's loss (exercises 2 and 3).

#' Mean cross entropy over all positions, in nats.
#'
#' @return the generator that nn_module() makes. The module takes input (batch, k, nvoc), logits, and target
#'   (batch, k), R ids.
#' @source exercises 2 and 3, nn_cross_entropy_wrapper; exercise 2, L(theta).
#' @export
nn_cross_entropy_wrapper <- function() {
  torch::nn_module(
    initialize = function() {
      self$loss <- torch::nn_cross_entropy_loss()
    },
    forward = function(input, target) {
      self$loss(input$reshape(c(-1, input$size(3))), target$reshape(c(-1)))
    }
  )
}
