# The oracle's self-check: against what R torch recorded, finite differences and worked examples.
# Usage: Rscript check_oracle.R RECORDINGS_DIR
# One line a quantity; exit status 1 where any is beyond its limit, 2 where the call is wrong.

#' Source what the check needs, from this script's own folder.
source_here <- function() {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  here <- dirname(gsub("~+~", " ", script, fixed = TRUE))
  for (file in c("json.R", "safetensors.R", "oracle/oracle.R", "load_weights.R", "oracle/check_recording.R",
                 "oracle/check_gradients.R", "oracle/check_optimizer.R")) source(file.path(here, file), encoding = "UTF-8")
}

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
  source_here()
  good <- c()
  for (file in file.path(arguments, c("tiny_gpt.safetensors", "tiny_gpt_noattn.safetensors"))) {
    good <- c(good, check_recording(file, report))
  }
  for (attention in c(TRUE, FALSE)) good <- c(good, check_gradients(attention, report))
  good <- c(good, check_optimizer(report))
  cat(sprintf("%d of %d quantities agree\n", sum(good), length(good)))
  quit(status = if (all(good)) 0 else 1)
}

if (sys.nframe() == 0L) main()
