# A run's weights.safetensors into the oracle's list, and into an R torch module.
# Needs json.R, safetensors.R and oracle/oracle.R; R torch only where a module is given.

#' Read a run's weights.
#'
#' @param path weights.safetensors, of R or of pygpt.
#' @param model an R torch module to load the weights into as well, or NULL. Its keys and shapes are compared with
#'   the file's before anything is copied, and every difference is named in one message.
#' @return the oracle's list: arrays under R's state_dict() names, in R's order, with torch's shapes. Stops where the
#'   file holds other weights than those of the course's models.
#' @export
load_weights <- function(path, model = NULL) {
  weights <- read_safetensors(path)$tensors
  if (!is.null(model)) {
    problems <- shape_problems(lapply(weights, shape_of), module_shapes(model))
    if (length(problems) > 0) stop(path, " does not fit the model:\n  ", paste(problems, collapse = "\n  "))
    model$load_state_dict(lapply(weights, torch::torch_tensor, dtype = torch::torch_float()))
  }
  settings <- tryCatch(oracle_settings(weights),
                       error = function(e) stop(path, ": ", conditionMessage(e), call. = FALSE))
  weights[names(do.call(weight_shapes, settings))]
}

#' Shapes of an R torch module's state_dict: a named list of integer vectors.
module_shapes <- function(model) lapply(model$state_dict(), function(tensor) as.integer(tensor$shape))
