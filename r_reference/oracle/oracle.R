# The oracle: both of the course's models in base R, in double precision, with no packages.
#
# Arrays have torch's shapes: an activation is (batch, k, n_embd), ids are R ids (1-based, PAD = 1).
# Inside, an activation is a matrix with one row a position. An R array (batch, k, n) and the
# matrix (batch * k, n) are the same numbers in the same order in memory, so that changing `dim`
# is all it takes: window b has the rows b, b + batch, b + 2 * batch, ...

#' Source the oracle's files. `dir`: the folder that holds them; `envir`: where the functions go.
source_oracle <- function(dir, envir = globalenv()) {
  files <- c("weights.R", "layers.R", "attention.R", "forward.R", "gradients.R",
             "optimizer.R", "training.R", "generation.R")
  for (file in files) source(file.path(dir, file), local = envir, encoding = "UTF-8")
  invisible(dir)
}

#' The folder of this file, however it was reached: source(), or Rscript.
oracle_folder <- function() {
  for (frame in rev(sys.frames())) {
    sourced <- get0("ofile", envir = frame, inherits = FALSE)
    if (is.character(sourced) && basename(sourced) == "oracle.R") {
      # source(chdir = TRUE) has already gone there, and a relative path no longer leads there
      return(if (file.exists(sourced)) dirname(sourced) else ".")
    }
  }
  script <- grep("^--file=", commandArgs(FALSE), value = TRUE)
  # Rscript writes a space in a path as ~+~
  script <- gsub("~+~", " ", sub("^--file=", "", script), fixed = TRUE)
  if (length(script) == 1 && basename(script) == "oracle.R") return(dirname(script))
  stop("oracle.R cannot tell where it lies: use source(\"PATH/oracle.R\")")
}

source_oracle(oracle_folder(), envir = environment())
