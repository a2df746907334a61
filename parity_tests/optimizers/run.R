# What R torch's optimizers do with given gradients; parity_tests/optimizer_cases.py says with which.

# A parameter of `shape` (none for a scalar tensor), filled by rows.
parameter_of <- function(values, shape, dtype) {
  if (length(shape) == 0) {
    tensor <- torch::torch_tensor(values, dtype = dtype)$squeeze()
  } else {
    tensor <- torch::torch_tensor(as.numeric(values), dtype = dtype)$reshape(as.integer(shape))
  }
  tensor$detach()$clone()$requires_grad_(TRUE)
}

flat <- function(tensors) {
  unlist(lapply(tensors, function(t) if (t$numel() == 0) numeric(0) else as.numeric(t$detach()$reshape(-1))))
}

# name: of the optimizer, without optim_. weights: of all parameters, one after the other. shapes: a vector for each.
# groups: NULL, or lists of `params` (numbers from 1) and options of their own. gradients: a row a step, as weights.
# reached: a row a step, whether a gradient reaches each parameter. kept: the steps after which weights are given back.
run_optimizer <- function(name, arguments, weights, shapes, groups, gradients, reached, kept, double) {
  torch::torch_set_num_threads(1)
  dtype <- if (double) torch::torch_double() else torch::torch_float()
  sizes <- vapply(shapes, prod, numeric(1))
  ends <- cumsum(sizes)
  parts <- lapply(seq_along(sizes), function(i) seq_len(sizes[i]) + ends[i] - sizes[i])
  parameters <- lapply(seq_along(parts), function(i) parameter_of(weights[parts[[i]]], shapes[[i]], dtype))
  given <- parameters
  if (!is.null(groups)) {
    given <- lapply(groups, function(group) {
      group$params <- parameters[group$params]
      group
    })
  }
  optimizer <- do.call(getExportedValue("torch", paste0("optim_", name)), c(list(given), arguments))
  after <- list()
  for (step in seq_len(nrow(gradients))) {
    optimizer$zero_grad()
    loss <- torch::torch_zeros(1)
    for (i in which(reached[step, ])) {
      gradient <- parameter_of(gradients[step, parts[[i]]], shapes[[i]], dtype)$detach()
      loss <- loss + (parameters[[i]] * gradient)$sum()
    }
    loss$backward()
    optimizer$step()
    if (step %in% kept) after[[length(after) + 1]] <- flat(parameters)
  }
  with_gradient <- Filter(function(p) !torch:::is_undefined_tensor(p$grad), parameters)
  list(weights = do.call(rbind, after), gradients = flat(lapply(with_gradient, function(p) p$grad)))
}

# nn_utils_clip_grad_norm_ on these gradients: the norm, and the gradients after it.
run_clip <- function(gradients, shapes, max_norm) {
  torch::torch_set_num_threads(1)
  ends <- cumsum(vapply(shapes, prod, numeric(1)))
  parameters <- lapply(seq_along(shapes), function(i) {
    values <- gradients[seq_len(prod(shapes[[i]])) + ends[i] - prod(shapes[[i]])]
    parameter <- parameter_of(0 * values, shapes[[i]], torch::torch_float())
    (parameter * parameter_of(values, shapes[[i]], torch::torch_float())$detach())$sum()$backward()
    parameter
  })
  norm <- torch::nn_utils_clip_grad_norm_(parameters, max_norm)
  list(norm = norm$item(), gradients = flat(lapply(parameters, function(p) p$grad)))
}

# The names of a module's parameters in R's order, where two layers share their weight.
names_of_tied <- function() {
  module <- torch::nn_module(
    initialize = function() {
      self$own <- torch::nn_parameter(torch::torch_zeros(1))
      self$wte <- torch::nn_embedding(3, 4)
      self$att <- torch::nn_multihead_attention(4, 2)
      self$head <- torch::nn_linear(4, 3, bias = FALSE)
      self$head$weight <- self$wte$weight
      self$norm <- torch::nn_layer_norm(4)
    }
  )
  names(module()$parameters)
}
