# Source the course's files. Nothing is run: they define functions alone.

#' dir: the folder that holds the files.
source_course <- function(dir, envir = globalenv()) {
  for (file in c("text.R", "models.R", "dataset.R", "loss.R", "training.R", "generation.R", "figures.R")) {
    source(file.path(dir, file), local = envir, encoding = "UTF-8")
  }
}
