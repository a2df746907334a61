# The command line of the scripts here, in base R. Exit status 2: the call cannot be carried out.

#' Say what is wrong and leave with status 2.
refuse <- function(...) {
  message(script_name(), ": ", ...)
  quit(save = "no", status = 2)
}

#' The running script's name, "r_reference" where none runs.
script_name <- function() {
  path <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
  if (is.na(path)) "r_reference" else basename(path)
}

#' Describe one option of a script.
#'
#' @param name its name, without the two dashes.
#' @param placeholder what stands for its value in the usage, for example FILE.
#' @param help one line about it.
#' @param read a function of the value's text: it returns the value, or stops with what it must be.
#' @param default the value where the option is not given; NULL: none.
#' @param required whether it must be given.
#' @return a list with these six.
#' @export
option <- function(name, placeholder, help, read, default = NULL, required = FALSE) {
  list(name = name, placeholder = placeholder, help = help, read = read, default = default, required = required)
}

# What option() takes as `read`. Each returns the value of a text, or stops.

#' Whole numbers from `lowest` to `highest`, both included.
read_whole <- function(lowest, highest) {
  function(text) {
    value <- suppressWarnings(as.numeric(text))
    if (!grepl("^[0-9]+$", text) || is.na(value) || value < lowest || value > highest) {
      stop(sprintf("must be a whole number from %.0f to %.0f", lowest, highest))
    }
    as.integer(value)
  }
}

#' The name of a file that is there.
read_file_name <- function(text) {
  if (!file.exists(text) || dir.exists(text)) stop("there is no such file")
  text
}

#' The name of a folder; it need not be there yet.
read_folder <- function(text) {
  if (file.exists(text) && !dir.exists(text)) stop("there is a file of that name, a folder is needed")
  text
}

#' Any text.
read_text <- function(text) text

#' The text that --help prints.
usage_text <- function(description, options) {
  left <- c(vapply(options, function(o) paste0("--", o$name, " ", o$placeholder), ""), "--help")
  right <- c(vapply(options, function(o) {
    paste0(o$help, if (o$required) " (required)" else if (!is.null(o$default)) paste0(" (default: ", o$default, ")"))
  }, ""), "show this and leave")
  c(paste("usage: Rscript", script_name(), "[options]"), "", description, "", sprintf("  %-27s %s", left, right))
}

#' Parse "--name value" and "--name=value".
#'
#' @param arguments the words of the command line.
#' @param options a list of what option() returns.
#' @return the values by name. Stops, with what is wrong, at a call that does not fit the options.
#' @export
parse_options <- function(arguments, options) {
  known <- setNames(options, vapply(options, function(o) o$name, ""))
  values <- lapply(Filter(function(o) !is.null(o$default), known), function(o) o$default)
  given <- character(0)
  while (length(arguments) > 0) {
    parts <- regmatches(arguments[1], regexec("^--([a-z-]+)(=(.*))?$", arguments[1]))[[1]]
    if (length(parts) == 0) stop("options are written --name value; what is \"", arguments[1], "\"?")
    arguments <- arguments[-1]
    name <- parts[2]
    if (is.null(known[[name]])) stop("there is no option --", name, "; see --help")
    if (name %in% given) stop("--", name, " is given twice")
    given <- c(given, name)
    text <- parts[4]
    if (parts[3] == "") {
      if (length(arguments) == 0 || startsWith(arguments[1], "--")) {
        stop("--", name, " needs a value, ", known[[name]]$placeholder)
      }
      text <- arguments[1]
      arguments <- arguments[-1]
    }
    values[[name]] <- tryCatch(known[[name]]$read(text), error = function(e) {
      stop("--", name, " ", text, ": ", conditionMessage(e), call. = FALSE)
    })
  }
  absent <- setdiff(names(Filter(function(o) o$required, known)), given)
  if (length(absent) > 0) stop("missing: ", paste0("--", absent, collapse = ", "), "; see --help")
  values
}

#' The values of a script's options. --help prints the usage and ends R with status 0, a wrong call with 2.
#'
#' @param description one sentence on what the script does.
#' @param options,arguments as for parse_options().
#' @return the values by name.
#' @export
read_options <- function(description, options, arguments = commandArgs(TRUE)) {
  if (any(arguments %in% c("--help", "-h"))) {
    writeLines(usage_text(description, options))
    quit(save = "no", status = 0)
  }
  tryCatch(parse_options(arguments, options), error = function(e) refuse(conditionMessage(e)))
}

#' End R with status 2 and say what to install where packages that a script needs are missing.
#'
#' @param packages their names. For torch, libtorch is looked for, too.
#' @return nothing.
#' @export
require_packages <- function(packages = c("torch", "luz", "safetensors")) {
  absent <- packages[!vapply(packages, requireNamespace, NA, quietly = TRUE)]
  if (length(absent) > 0) {
    refuse("R has no ", paste(absent, collapse = ", "), " here. Install with\n  install.packages(c(",
           paste0("\"", absent, "\"", collapse = ", "), "))",
           if ("torch" %in% absent) "\nand then, for libtorch itself,\n  torch::install_torch()")
  }
  if ("torch" %in% packages && !torch::torch_is_installed()) {
    refuse("R's torch is here, libtorch is not. Install it with\n  torch::install_torch()")
  }
}
