# Sourcing a file only defines things: nothing is printed, written or loaded.

for (file in reference_files()) {
  test_that(paste("sourcing", file, "does nothing"), {
    expect_identical(effects_of_sourcing(file.path(r_reference, file)), character(0))
  })
}

test_that("sourcing is seen to do something where it does", {
  effects <- function(text) {
    path <- tempfile(fileext = ".R")
    writeLines(text, path)
    effects_of_sourcing(path)
  }
  expect_identical(effects("f <- function() print(1)"), character(0))
  expect_identical(effects("print(1)"), "printed: [1] 1")
  expect_identical(effects("message('hello')"), "said: hello\n")
  expect_identical(effects("cat('x', file = 'written')"), "changed: files")
  expect_identical(effects("assign('from_a_test', 1, globalenv())"), "changed: globals")
  rm("from_a_test", envir = globalenv())
  unloadNamespace("stats4")
  expect_identical(effects("loadNamespace('stats4')"), "changed: namespaces")
  expect_error(effects("setNames(1, 'a')"), "could not find function \"setNames\"")
})

test_that("the oracle is found however its file is named", {
  path <- file.path(r_reference, "oracle", "oracle.R")
  has_oracle <- function(...) {
    envir <- new.env()
    source(..., local = envir)
    exists("oracle_forward", envir, inherits = FALSE)
  }
  expect_true(has_oracle(path))
  back <- setwd(file.path(r_reference, "oracle"))
  on.exit(setwd(back))
  expect_true(has_oracle("oracle.R"))
  expect_true(has_oracle("../oracle/oracle.R", chdir = TRUE))
  expect_error(eval(parse(path)), "use source")
})
