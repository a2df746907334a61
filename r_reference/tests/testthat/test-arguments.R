# arguments.R

options <- list(option("out", "DIR", "a folder", read_folder, required = TRUE),
                option("seed", "N", "a seed", read_whole(0, 10), 3L),
                option("kernel-fingerprint", "TEXT", "any text", read_text))
parse <- function(...) parse_options(c(...), options)

test_that("options are read in both ways, in any order", {
  expect_identical(parse("--out", "new")[c("out", "seed")], list(out = "new", seed = 3L))
  expect_identical(parse("--seed=10", "--out=a=b")[c("out", "seed")], list(out = "a=b", seed = 10L))
  expect_identical(parse("--out", "a", "--kernel-fingerprint", "x y")[["kernel-fingerprint"]], "x y")
  expect_identical(parse("--out", "a", "--kernel-fingerprint=--x")[["kernel-fingerprint"]], "--x")
})

test_that("a wrong call is told what is wrong", {
  file <- tempfile()
  writeLines("text", file)
  expect_error(parse("--seed", "1"), "missing: --out; see --help")
  expect_error(parse("--ou", "a"), "there is no option --ou; see --help")
  expect_error(parse("out"), "what is \"out\"?", fixed = TRUE)
  expect_error(parse("--out", "a", "--out", "b"), "--out is given twice")
  expect_error(parse("--out", "--seed"), "--out needs a value, DIR")
  expect_error(parse("--out", file), "a folder is needed")
  for (text in c("11", "-1", "1.5", "x", "1e1", " 1", "")) {
    expect_error(parse("--out", "a", paste0("--seed=", text)), "must be a whole number from 0 to 10", label = text)
  }
  expect_error(read_file_name(tempfile()), "there is no such file")
  expect_error(read_file_name(tempdir()), "there is no such file")
})
