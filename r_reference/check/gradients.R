# The gradients derived by hand against central finite differences, with dropout masks present:
# dL/dw ~ (L(w + e) - L(w - e)) / 2e, for every single weight of a small model.

#' A small model with random weights, a batch and dropout masks (p = 0.2). The numbers are any.
small_case <- function(attention, seed = 1) {
  set.seed(seed)
  settings <- list(block_size = 5, n_embd = 4, n_layer = 2, nvoc = 6, attention = attention)
  weights <- lapply(do.call(weight_shapes, settings), function(shape) array(rnorm(prod(shape)), shape))
  ids <- function() matrix(sample.int(settings$nvoc, 12, replace = TRUE), 3)
  x <- ids()
  # both rows that a padding_row can leave without gradient must be looked up
  x[1, 1:2] <- 1:2
  masks <- lapply(mask_shapes(settings, 3, 4, 2), function(shape) array(rbinom(prod(shape), 1, 0.8) / 0.8, shape))
  list(weights = weights, x = x, y = ids(), n_head = 2, masks = masks)
}

#' dL/dw of every number of the weight `name`, by central differences.
finite_differences <- function(case, name, e = 1e-5) {
  loss <- function(i, change) {
    weights <- case$weights
    weights[[name]][i] <- weights[[name]][i] + change
    oracle_loss(oracle_forward(weights, case$x, case$n_head, case$masks)$act.logits, case$y)
  }
  w <- case$weights[[name]]
  w[] <- vapply(seq_along(w), function(i) (loss(i, e) - loss(i, -e)) / (2 * e), 0)
  w
}

#' Compare all weights' gradients, as a share of each tensor's largest gradient; and see that
#' padding_row leaves its row of wte, and no other, without gradient.
check_gradients <- function(attention, report) {
  model <- if (attention) "GPT" else "GPT_NoAttn"
  case <- small_case(attention)
  gradients <- function(padding_row) {
    oracle_gradients(case$weights, case$x, case$y, case$n_head, case$masks, padding_row)$gradients
  }
  r <- gradients("r")
  corrected <- gradients("corrected")
  good <- c()
  for (name in names(case$weights)) {
    expected <- finite_differences(case, name)
    derived <- r[[name]]
    if (name == "wte.weight") {
      zeros <- max(abs(r[[name]][2, ]), abs(corrected[[name]][1, ]))
      good <- c(good, report(paste(model, "wte row without gradient"), zeros, 0))
      derived[2, ] <- corrected[[name]][2, ]
    }
    error <- max(abs(derived - expected)) / max(abs(expected))
    good <- c(good, report(paste(model, "finite differences", name), error, 1e-6))
  }
  good
}
