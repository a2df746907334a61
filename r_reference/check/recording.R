# The oracle against a recording of a tiny model made with R torch, which computes in float32.

#' Largest difference, as a share of the largest expected number. Inf where the shapes differ.
relative_error <- function(computed, expected) {
  if (!identical(as.numeric(shape_of(computed)), as.numeric(shape_of(expected)))) return(Inf)
  max(abs(computed - expected)) / max(abs(expected))
}

#' Tensors of a recording whose name begins with `prefix`, under what follows it.
recorded <- function(tensors, prefix) {
  chosen <- tensors[startsWith(names(tensors), prefix)]
  setNames(chosen, substring(names(chosen), nchar(prefix) + 1))
}

#' Compare forward pass, loss, gradients, their norm and one AdamW step with a recording.
#' `report(what, error, limit)` prints one line and says whether it is good.
check_recording <- function(path, report) {
  file <- read_safetensors(path)
  settings <- from_json(file$metadata$model_settings)
  run <- from_json(file$metadata$run)
  # float32 carries 7 digits, and the sums here are short
  compare <- function(what, computed, expected, limit = 1e-5) {
    report(paste(file$metadata$model, what), relative_error(computed, expected), limit)
  }
  weights <- recorded(file$tensors, "init.")
  back <- oracle_gradients(weights, file$tensors$x, file$tensors$y, settings$Head)
  good <- c()
  act <- file$tensors[startsWith(names(file$tensors), "act.")]
  if (!setequal(names(act), names(back$activations))) stop(path, ": its activations have other names than the oracle's")
  for (name in names(back$activations)) good <- c(good, compare(name, back$activations[[name]], act[[name]]))
  good <- c(good, compare("loss", array(back$loss, 1), file$tensors$loss))
  gradients <- recorded(file$tensors, "grad.")
  if (!setequal(names(gradients), names(weights))) stop(path, ": its gradients have other names than its weights")
  for (name in names(weights)) {
    good <- c(good, compare(paste0("grad.", name), back$gradients[[name]], gradients[[name]]))
  }
  clipped <- oracle_clip(back$gradients, run$max_norm)
  good <- c(good, compare("grad_norm", array(clipped$norm, 1), file$tensors$grad_norm))
  step1 <- oracle_adamw_step(weights, clipped$gradients, oracle_adamw_start(weights), run$lr)$weights
  expected <- recorded(file$tensors, "step1.")
  for (name in names(weights)) {
    sure <- significant(gradients[[name]], name)
    # as a share of lr: a weight of 1 moves by at most 1 lr, and its decay is 0.01 lr
    error <- max(abs(step1[[name]] - expected[[name]])[sure]) / run$lr
    good <- c(good, report(paste(file$metadata$model, paste0("step1.", name)), error, 1e-3))
  }
  good
}

#' Which numbers of a step can be compared. Adam's first step is lr g / (|g| + 1e-8): it blows a
#' gradient that is nothing but rounding up to a step of lr. The key third of in_proj_bias is such a
#' gradient (it is zero in exact arithmetic), and so are a few stray numbers below 1e-6.
#' An exact zero is no rounding: there the weight only decays.
significant <- function(gradient, name) {
  sure <- as.vector(gradient == 0 | abs(gradient) > 1e-6)
  if (endsWith(name, "in_proj_bias")) {
    third <- length(gradient) / 3
    sure[third + seq_len(third)] <- FALSE
  }
  sure
}
