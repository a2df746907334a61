# The scripts from their command lines, as far as they go without R torch.

# In a copy whose path has spaces.
copy <- file.path(tempfile(), "with a space")
dir.create(copy, recursive = TRUE)
file.copy(r_reference, copy, recursive = TRUE)

#' Run a script by Rscript: list(status, out, err).
run <- function(script, ...) {
  err <- tempfile()
  out <- suppressWarnings(system2(file.path(R.home("bin"), "Rscript"),
                                  shQuote(c(file.path(copy, "r_reference", script), ...)), stdout = TRUE, stderr = err))
  status <- attr(out, "status")
  list(status = if (is.null(status)) 0L else status, out = as.vector(out), err = readLines(err))
}

for (script in c("exercise_2.R", "exercise_3.R", "record.R")) {
  test_that(paste(script, "explains itself, and ends with status 2 at a wrong call"), {
    help <- run(script, "--help")
    expect_identical(help$status, 0L)
    expect_identical(help$out[1], paste("usage: Rscript", script, "[options]"))
    expect_true(any(grepl("^  --out DIR .*\\(required\\)$", help$out)))
    wrong <- run(script)
    expect_identical(wrong$status, 2L)
    expect_match(wrong$err, paste0("^", script, ": missing: --.*; see --help$"))
  })
}

test_that("check_oracle.R says how it is called, and what it found", {
  wrong <- run("check_oracle.R")
  expect_identical(wrong$status, 2L)
  expect_identical(wrong$err, "usage: Rscript check_oracle.R RECORDINGS_DIR")
  right <- run("check_oracle.R", recording(""))
  expect_identical(right$status, 0L)
  expect_match(tail(right$out, 1), "^([0-9]+) of \\1 quantities agree$", perl = TRUE)
})

test_that("a package that is missing is named, with the line that installs it", {
  # where R's torch is installed, one that cannot be loaded stands before it
  library <- tempfile()
  dir.create(file.path(library, "torch"), recursive = TRUE)
  writeLines(c("Package: torch", "Version: 0"), file.path(library, "torch", "DESCRIPTION"))
  before <- Sys.getenv("R_LIBS")
  on.exit(Sys.setenv(R_LIBS = before))
  Sys.setenv(R_LIBS = library)
  corpus <- tempfile()
  writeLines("text", corpus)
  missing <- run("exercise_2.R", "--corpus", corpus, "--out", tempfile())
  expect_identical(missing$status, 2L)
  expect_match(missing$err[1], "^exercise_2.R: R has no torch")
  expect_match(paste(missing$err, collapse = "\n"), "torch::install_torch()", fixed = TRUE)
})
