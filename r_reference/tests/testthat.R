# The tests of the R side. They need R's testthat and no torch.
# Rscript tests/testthat.R, from any folder. Exit status 1 where a test fails, 2 where testthat is missing.

main <- function() {
  require_packages("testthat")
  testthat::test_dir(file.path(r_reference, "tests", "testthat"), reporter = "summary", stop_on_warning = TRUE)
}

if (sys.nframe() == 0L) {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
  source(file.path(dirname(gsub("~+~", " ", script, fixed = TRUE)), "..", "bootstrap.R"), encoding = "UTF-8")
  source_here("arguments.R")
  main()
}
