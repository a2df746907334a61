# The checks that check_oracle.R makes, one test each.

for (model in c("tiny_gpt", "tiny_gpt_noattn")) {
  test_that(paste("the oracle computes what R torch recorded in", model), {
    check_recording(recording(paste0(model, ".safetensors")), agrees)
  })
}

for (attention in c(TRUE, FALSE)) {
  test_that(paste("gradients equal finite differences,", if (attention) "with" else "without", "attention"), {
    check_gradients(attention, agrees)
  })
}

test_that("clip, AdamW and luz's mean equal examples worked out by hand", {
  check_optimizer(agrees)
})

test_that("a check finds a difference", {
  errors <- c()
  note <- function(what, error, limit) errors <<- c(errors, setNames(error / limit, what))
  file <- read_safetensors(recording("tiny_gpt_noattn.safetensors"))
  file$tensors$grad.ln_f.weight[3, 4] <- file$tensors$grad.ln_f.weight[3, 4] + 1e-4
  changed <- tempfile()
  write_safetensors(changed, file$tensors, file$dtypes, file$metadata)
  check_recording(changed, note)
  expect_identical(names(errors)[errors > 1], "GPT_NoAttn grad.ln_f.weight")
})
