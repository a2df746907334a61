# The files among themselves: documentation, names, packages, nothing dead.

#' Every function of a file: list(name, arguments, comment), comment being the lines that begin with #' above it.
functions_in <- function(file) {
  lines <- readLines(file.path(r_reference, file), encoding = "UTF-8")
  code <- parse(text = lines, keep.source = TRUE, encoding = "UTF-8")
  is_function <- vapply(code, function(call) {
    is.call(call) && identical(call[[1]], as.name("<-")) && is.call(call[[3]]) &&
      identical(call[[3]][[1]], as.name("function"))
  }, NA)
  Map(function(call, place) {
    above <- rev(lines[seq_len(place[1] - 1)])
    list(name = as.character(call[[2]]), arguments = names(call[[3]][[2]]),
         comment = rev(above[cumsum(!startsWith(above, "#'")) == 0]))
  }, code[is_function], attr(code, "srcref")[is_function])
}

#' All functions, each with its file.
all_functions <- do.call(c, lapply(reference_files(), function(file) {
  lapply(functions_in(file), function(f) c(f, list(file = file)))
}))
is_public <- vapply(all_functions, function(f) "#' @export" %in% f$comment, NA)

#' An environment with everything that these files define, and nothing of these tests.
sourced <- function(files) {
  envir <- new.env(parent = globalenv())
  source_here(files, envir = envir)
  envir
}

#' Names that a function uses and does not define itself.
names_used <- function(f) if (is.function(f)) codetools::findGlobals(f) else character(0)

test_that("a function that is meant to be called says what it takes and what it returns", {
  expect_gt(sum(is_public), 40)
  for (f in all_functions[is_public]) {
    params <- sub("^#' @param ([^ ]+) .*", "\\1", grep("^#' @param ", f$comment, value = TRUE))
    expect_setequal(as.character(unlist(strsplit(params, ","))), as.character(f$arguments))
    expect_true(any(startsWith(f$comment, "#' @return ")), label = paste(f$file, f$name, "has @return"))
  }
})

test_that("files are ASCII: in the C locale source() stops where they are not", {
  for (file in c(reference_files(), "DESCRIPTION")) {
    expect_true(all(readBin(file.path(r_reference, file), "raw", 1e6) < as.raw(128)), label = file)
  }
})

test_that("every function says what it is for", {
  undocumented <- Filter(function(f) length(f$comment) == 0 && f$name != "main", all_functions)
  expect_identical(vapply(undocumented, function(f) paste(f$file, f$name), ""), character(0))
})

test_that("no function is there that nothing calls", {
  # main() is each script's own; sourced last, it does not hide another's
  used <- unlist(lapply(reference_files(), function(file) {
    envir <- sourced(file)
    own <- vapply(functions_in(file), function(f) f$name, "")
    unlist(lapply(own, function(name) setdiff(names_used(get(name, envir)), name)))
  }))
  # called at the top of a file
  at_the_top <- c("main", "oracle_folder", "sourced_path")
  names <- vapply(all_functions[!is_public], function(f) f$name, "")
  expect_identical(setdiff(names, c(used, at_the_top)), character(0))
})

#' A script's arguments of source_here().
parts_of <- function(script) {
  calls <- list()
  look <- function(x) {
    if (is.call(x) && identical(x[[1]], as.name("source_here"))) calls[[length(calls) + 1]] <<- as.character(x[-1])
    if (is.call(x)) lapply(as.list(x), look)
  }
  for (x in parse(file.path(r_reference, script), encoding = "UTF-8")) look(x)
  expect_length(calls, 1)
  calls[[1]]
}

scripts <- c("exercise_2.R", "exercise_3.R", "record.R", "check_oracle.R", "tests/testthat.R")

for (script in scripts) {
  test_that(paste(script, "sources all that it uses, and nothing else"), {
    parts <- parts_of(script)
    envir <- sourced(c("bootstrap.R", parts, script))
    # from main() on, everything that can be reached
    reached <- character(0)
    waiting <- "main"
    while (length(waiting) > 0) {
      reached <- c(reached, waiting)
      used <- unique(unlist(lapply(mget(waiting, envir), names_used)))
      # inside torch's modules and luz's callbacks
      missing <- Filter(function(name) !exists(name, envir), setdiff(used, c("self", "ctx")))
      expect_identical(missing, character(0))
      waiting <- setdiff(intersect(used, ls(envir)), reached)
    }
    for (part in parts) expect_true(any(ls(sourced(part)) %in% reached), label = paste(script, "uses", part))
  })
}

test_that("DESCRIPTION names the packages that are used, and no others", {
  packages <- read.dcf(file.path(r_reference, "DESCRIPTION"))
  named <- trimws(gsub("\\([^)]*\\)", "", unlist(strsplit(packages[, c("Imports", "Suggests")], ","))))
  files <- c(reference_files(), "tests/testthat.R", file.path("tests", "testthat", list.files(".", "[.]R$")))
  text <- unlist(lapply(file.path(r_reference, files), readLines, encoding = "UTF-8"))
  prefixes <- sub("::$", "", unlist(regmatches(text, gregexpr("[A-Za-z][A-Za-z0-9.]*(?=::)", text, perl = TRUE))))
  with_r <- rownames(installed.packages(.Library, priority = c("base", "recommended")))
  # lintr is called from the command line
  expect_setequal(c(setdiff(prefixes, with_r), "lintr"), named)
  expect_setequal(eval(formals(require_packages)$packages), c("torch", "luz", "safetensors"))
})
