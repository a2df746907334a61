# How the files here find and source one another. Every script begins its work with
#   script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
#   source(file.path(dirname(gsub("~+~", " ", script, fixed = TRUE)), "bootstrap.R"), encoding = "UTF-8")
#   source_here("json.R", "course")
# The first two lines are each script's own: Rscript says in no other way where a script lies, and writes a space in a
# path as ~+~.

#' The path of the file that source() is reading, the innermost.
sourced_path <- function() {
  path <- Find(is.character, lapply(rev(sys.frames()), get0, x = "ofile", inherits = FALSE))
  if (is.null(path)) stop("bootstrap.R cannot tell where it lies: use source(\"PATH/bootstrap.R\")")
  # source(chdir = TRUE) has gone there already, and a relative path no longer leads there
  if (file.exists(path)) path else basename(path)
}

#' The folder r_reference, which is this file's.
r_reference <- dirname(normalizePath(sourced_path()))

#' Source files of r_reference. They only define functions, so that their order does not matter.
#'
#' @param ... paths from the folder r_reference, as text: files, or folders, which stand for all the R files in them.
#' @param envir the environment that gets the functions.
#' @return nothing.
#' @export
source_here <- function(..., envir = parent.frame()) {
  for (path in file.path(r_reference, c(...))) {
    files <- if (dir.exists(path)) list.files(path, "[.]R$", full.names = TRUE) else path
    for (file in files) source(file, local = envir, encoding = "UTF-8")
  }
}
