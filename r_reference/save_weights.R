# The oracle's list or an R torch module's weights, as a run's weights.safetensors.
# Needs json.R and safetensors.R; R torch only where a module is given.

#' Write a run's weights.
#'
#' @param weights_or_module the oracle's list, or an R torch module.
#' @param path the file.
#' @param metadata a named list of strings, or NULL.
#' @param dtype F32, what R torch computes in, or F64, which keeps all that the oracle computed.
#' @return the path, invisibly.
#' @export
save_weights <- function(weights_or_module, path, metadata = NULL, dtype = "F32") {
  weights <- if (inherits(weights_or_module, "nn_module")) module_weights(weights_or_module) else weights_or_module
  write_safetensors(path, lapply(weights, function(w) if (is.null(dim(w))) array(w, length(w)) else w), dtype, metadata)
}

#' An R torch module's state_dict as R arrays with torch's shapes.
module_weights <- function(model) {
  lapply(model$state_dict(), function(tensor) array(torch::as_array(tensor$cpu()), as.integer(tensor$shape)))
}
