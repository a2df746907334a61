# The command line of the scripts here, in base R. Exit status 2: the call cannot be carried out.

#' Say what is wrong and leave with status 2.
refuse <- function(...) {
  message(script_name(), ": ", ...)
  quit(save = "no", status = 2)
}

#' The running script's path, and its name. Rscript writes a space in a path as ~+~.
script_path <- function() {
  path <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(path) == 0) "r_reference" else gsub("~+~", " ", path[1], fixed = TRUE)
}
script_name <- function() basename(script_path())

#' Describe one option. read(text) returns its value or stops with what it must be.
option <- function(name, placeholder, help, read, default = NULL, required = FALSE) {
  list(name = name, placeholder = placeholder, help = help, read = read, default = default, required = required)
}

read_whole <- function(lowest, highest) function(text) {
  value <- suppressWarnings(as.numeric(text))
  if (!grepl("^[0-9]+$", text) || is.na(value) || value < lowest || value > highest) {
    stop(sprintf("must be a whole number from %.0f to %.0f", lowest, highest))
  }
  as.integer(value)
}
read_file_name <- function(text) {
  if (!file.exists(text) || dir.exists(text)) stop("there is no such file")
  text
}
read_folder <- function(text) {
  if (file.exists(text) && !dir.exists(text)) stop("there is a file of that name, a folder is needed")
  text
}
read_text <- function(text) text

#' The text that --help prints.
usage_text <- function(description, options) {
  left <- c(vapply(options, function(o) paste0("--", o$name, " ", o$placeholder), ""), "--help")
  right <- c(vapply(options, function(o) {
    paste0(o$help, if (o$required) " (required)" else if (!is.null(o$default)) paste0(" (default: ", o$default, ")"))
  }, ""), "show this and leave")
  c(paste("usage: Rscript", script_name(), "[options]"), "", description, "", sprintf("  %-27s %s", left, right))
}

#' Parse "--name value" and "--name=value". Returns the values by name; stops with a clear message.
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

#' The options' values; --help prints the usage and leaves with 0, a wrong call leaves with 2.
read_options <- function(description, options, arguments = commandArgs(TRUE)) {
  if (any(arguments %in% c("--help", "-h"))) {
    writeLines(usage_text(description, options))
    quit(save = "no", status = 0)
  }
  tryCatch(parse_options(arguments, options), error = function(e) refuse(conditionMessage(e)))
}

#' Leave with status 2 where the R packages that a script needs are not installed.
require_packages <- function(packages = c("torch", "luz", "safetensors")) {
  absent <- packages[!vapply(packages, requireNamespace, NA, quietly = TRUE)]
  if (length(absent) > 0) {
    refuse("R has no ", paste(absent, collapse = ", "), " here. Install with\n  install.packages(c(",
           paste0("\"", absent, "\"", collapse = ", "), "))",
           if ("torch" %in% absent) "\nand then, for libtorch itself,\n  torch::install_torch()")
  }
  if (!torch::torch_is_installed()) refuse("R's torch is here, libtorch is not. Install it with\n  torch::install_torch()")
}
