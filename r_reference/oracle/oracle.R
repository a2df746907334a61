# The oracle: both of the course's models in base R, in double precision, with no packages.
# source("PATH/oracle.R") is all it takes to have it.
#
# Arrays have torch's shapes: an activation is (batch, k, n_embd), ids are R ids (1-based, PAD = 1).
# Inside, an activation is a matrix with one row a position. An R array (batch, k, n) and the
# matrix (batch * k, n) are the same numbers in the same order in memory, so that changing `dim`
# is all it takes: window b has the rows b, b + batch, b + 2 * batch, ...

#' The folder of this file, which source() is reading. What bootstrap.R cannot tell before it is found.
oracle_folder <- function() {
  path <- Find(is.character, lapply(rev(sys.frames()), get0, x = "ofile", inherits = FALSE))
  if (is.null(path)) stop("oracle.R cannot tell where it lies: use source(\"PATH/oracle.R\")")
  # source(chdir = TRUE) has gone there already
  if (file.exists(path)) dirname(path) else "."
}

source(file.path(oracle_folder(), "..", "bootstrap.R"), local = TRUE, encoding = "UTF-8")
source_here(file.path("oracle", c("weights.R", "layers.R", "attention.R", "forward.R", "gradients.R",
                                  "optimizer.R", "training.R", "generation.R")))
