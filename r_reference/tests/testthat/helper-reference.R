# What the tests share: the functions under test, and what they are called with.

source(test_path("..", "..", "bootstrap.R"), local = TRUE, encoding = "UTF-8")
source_here("arguments.R", "json.R", "safetensors.R", "load_weights.R", "save_weights.R", "oracle/oracle.R",
            "check", "course/text.R", "record/provenance.R", "record/stream.R", "record/vocabulary.R")

#' What the check_*() functions take as `report`: each quantity is an expectation.
agrees <- function(what, error, limit) {
  expect(isTRUE(error <= limit), sprintf("%s: the error is %.2e, the limit %.0e", what, error, limit))
  isTRUE(error <= limit)
}

#' A recording's path. The recordings lie beside r_reference, in a checkout as in an installed pygpt.
recording <- function(name) file.path(r_reference, "..", "parity_tests", "recordings", name)

#' Logits of the model of a small_case() for other ids x.
logits_of <- function(case, x = case$x) oracle_forward(case$weights, x, case$n_head)$act.logits

#' Every R file of r_reference but the tests, by its path from there.
reference_files <- function() {
  files <- list.files(r_reference, "[.]R$", recursive = TRUE)
  files[!startsWith(files, "tests/")]
}
