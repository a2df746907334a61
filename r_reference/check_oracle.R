# The oracle's self-check: against what R torch recorded, finite differences and worked examples.
# Usage: Rscript check_oracle.R RECORDINGS_DIR
# One line a quantity; exit status 1 where any is beyond its limit, 2 where the call is wrong.

#' One line for one quantity; TRUE where it is within its limit. NaN is beyond any limit.
report <- function(what, error, limit) {
  good <- isTRUE(error <= limit)
  cat(sprintf("%-4s %-46s %9.2e  limit %.0e\n", if (good) "ok" else "FAIL", what, error, limit))
  good
}

main <- function(arguments = commandArgs(TRUE)) {
  if (length(arguments) != 1 || !dir.exists(arguments)) {
    message("usage: Rscript check_oracle.R RECORDINGS_DIR")
    quit(status = 2)
  }
  good <- c()
  for (file in file.path(arguments, c("tiny_gpt.safetensors", "tiny_gpt_noattn.safetensors"))) {
    good <- c(good, check_recording(file, report))
  }
  for (attention in c(TRUE, FALSE)) good <- c(good, check_gradients(attention, report))
  good <- c(good, check_optimizer(report))
  cat(sprintf("%d of %d quantities agree\n", sum(good), length(good)))
  quit(status = if (all(good)) 0 else 1)
}

if (sys.nframe() == 0L) {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
  source(file.path(dirname(gsub("~+~", " ", script, fixed = TRUE)), "bootstrap.R"), encoding = "UTF-8")
  source_here("json.R", "safetensors.R", "oracle/oracle.R", "check")
  main()
}
