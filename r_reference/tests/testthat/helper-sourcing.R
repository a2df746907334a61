# What sourcing a file does beside defining things. Base R alone, for R without testthat, too.

#' Source a file of r_reference into an empty environment, in an empty folder.
#'
#' @param path the file.
#' @return a sentence for each thing that it did; character(0) where it only defined things.
#' @export
effects_of_sourcing <- function(path) {
  path <- normalizePath(path)
  folder <- tempfile()
  dir.create(folder)
  back <- setwd(folder)
  on.exit(setwd(back))
  state <- function() {
    list(namespaces = loadedNamespaces(), attached = search(), globals = ls(globalenv(), all.names = TRUE),
         options = options(), locale = Sys.getlocale(), folder = getwd(),
         files = c(list.files(folder, all.files = TRUE), list.files(tempdir(), all.files = TRUE)))
  }
  said <- character(0)
  note <- function(condition) {
    said <<- c(said, paste("said:", conditionMessage(condition)))
    tryInvokeRestart(if (inherits(condition, "message")) "muffleMessage" else "muffleWarning")
  }
  before <- state()
  printed <- utils::capture.output(withCallingHandlers(
    # base R and no more: not even stats' setNames() may be called
    source(path, local = new.env(parent = baseenv()), encoding = "UTF-8"),
    message = note, warning = note
  ))
  after <- state()
  changed <- Filter(function(what) !identical(before[[what]], after[[what]]), names(before))
  c(if (length(printed) > 0) paste("printed:", printed), said, if (length(changed) > 0) paste("changed:", changed))
}
