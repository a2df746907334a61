# The weights: a named list with the names and the order of R torch's state_dict().

#' Shapes of a model's weights, in the order of R torch's state_dict(): by kind, not by block.
#'
#' @param block_size,n_embd,n_layer,nvoc the model's settings: longest window (ids), width, blocks, vocabulary with PAD.
#' @param attention TRUE for the model of exercise 2, FALSE for that of exercise 3.
#' @return a named list of vectors, one a weight.
#' @source the course's nn_module, initialize() (exercises 2 and 3).
#' @export
weight_shapes <- function(block_size, n_embd, n_layer, nvoc, attention = TRUE) {
  blocks <- seq_len(n_layer) - 1
  norm <- function(name) setNames(list(n_embd, n_embd), paste0(name, c(".weight", ".bias")))
  # each kind once for every block, named KIND.BLOCK.REST
  by_block <- function(kind, shapes) {
    do.call(c, lapply(blocks, function(j) setNames(shapes, paste0(kind, ".", j, ".", names(shapes)))))
  }
  mh <- list(in_proj_weight = c(3 * n_embd, n_embd), in_proj_bias = 3 * n_embd,
             out_proj.weight = c(n_embd, n_embd), out_proj.bias = n_embd)
  scale <- list(weight = n_embd, bias = n_embd)
  ffn <- list(`0.weight` = c(4 * n_embd, n_embd), `0.bias` = 4 * n_embd,
              `2.weight` = c(n_embd, 4 * n_embd), `2.bias` = n_embd)
  c(list(wpe.weight = c(block_size, n_embd), wte.weight = c(nvoc, n_embd)),
    if (attention) by_block("MH", mh),
    if (attention) by_block("scale1", scale),
    by_block("scale2", scale), norm("scale3"), by_block("FFN", ffn),
    list(ln_f.weight = c(nvoc, n_embd)))
}

#' Shape of a torch-like array: its dim, or its length where it is a plain vector.
shape_of <- function(x) if (is.null(dim(x))) length(x) else dim(x)

#' Every way in which two named lists of shapes differ, one sentence each; none: character(0).
shape_problems <- function(actual, expected) {
  both <- intersect(names(expected), names(actual))
  differ <- Filter(function(name) !identical(as.numeric(actual[[name]]), as.numeric(expected[[name]])), both)
  text <- function(shapes) vapply(shapes[differ], function(s) paste0("(", paste(s, collapse = ", "), ")"), "")
  c(sprintf("missing: %s", setdiff(names(expected), names(actual))),
    sprintf("unexpected: %s", setdiff(names(actual), names(expected))),
    sprintf("%s has shape %s, expected %s", differ, text(actual), text(expected)))
}

#' The model's settings as far as its weights tell: all but the number of heads and the dropout.
#'
#' @param weights a named list of arrays.
#' @return list(block_size, n_embd, n_layer, nvoc, attention), the arguments of weight_shapes(). Stops with every
#'   name that is missing, unexpected or of another shape.
#' @export
oracle_settings <- function(weights) {
  for (name in c("wpe.weight", "wte.weight")) {
    if (length(dim(weights[[name]])) != 2) stop("the weights hold no matrix ", name)
  }
  settings <- list(block_size = nrow(weights$wpe.weight), n_embd = ncol(weights$wpe.weight),
                   n_layer = length(grep("^FFN\\.[0-9]+\\.0\\.weight$", names(weights))),
                   nvoc = nrow(weights$wte.weight),
                   attention = any(startsWith(names(weights), "MH.")))
  problems <- shape_problems(lapply(weights, shape_of), do.call(weight_shapes, settings))
  if (length(problems) > 0) {
    stop("these are not the weights of the course's models:\n  ", paste(problems, collapse = "\n  "))
  }
  settings
}

#' Numbers put into the shapes of `like`, weight by weight.
shaped_like <- function(values, like) {
  lapply(setNames(nm = names(like)), function(name) {
    x <- values[[name]]
    dim(x) <- dim(like[[name]])
    x
  })
}
