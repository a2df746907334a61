# load_weights() and save_weights(), without R torch.

saved <- function(weights, ...) {
  path <- tempfile("weights")
  save_weights(weights, path, ...)
  path
}

test_that("weights are saved and loaded, in R's order", {
  for (attention in c(TRUE, FALSE)) {
    weights <- small_case(attention)$weights
    loaded <- load_weights(saved(weights, dtype = "F64"))
    expect_identical(names(loaded), names(weights))
    expect_identical(lapply(loaded, as.vector), lapply(weights, as.vector))
    expect_identical(lapply(loaded, dim), lapply(weights, dim))
    # R's state_dict goes by kind, not by block
    expect_identical(grep("^FFN.*0.weight", names(loaded)) - grep("^scale2.*weight", names(loaded)), c(6L, 8L))
  }
})

test_that("weights are saved as R torch's float32 unless told otherwise, with their metadata", {
  path <- saved(small_case(TRUE)$weights, list(model = "GPT"))
  file <- read_safetensors(path)
  expect_identical(unique(file$dtypes), "F32")
  expect_identical(file$metadata, list(model = "GPT"))
  again <- saved(load_weights(path), file$metadata)
  expect_identical(readBin(again, "raw", 1e6), readBin(path, "raw", 1e6))
})

test_that("the shapes are those that R torch recorded", {
  for (model in c("tiny_gpt", "tiny_gpt_noattn")) {
    tensors <- recorded(read_safetensors(recording(paste0(model, ".safetensors")))$tensors, "init.")
    shapes <- weight_shapes(8, 16, 2, 11, attention = model == "tiny_gpt")
    expect_setequal(names(shapes), names(tensors))
    expect_identical(lapply(shapes, as.numeric), lapply(tensors[names(shapes)], function(x) as.numeric(shape_of(x))))
    expect_identical(oracle_settings(tensors)$attention, model == "tiny_gpt")
  }
})

test_that("every weight that does not fit is named", {
  weights <- small_case(TRUE)$weights
  weights$scale2.1.bias <- NULL
  weights$MH.0.out_proj.bias <- array(0, 5)
  weights$extra <- array(0, 2)
  problems <- c("weights.*missing: scale2.1.bias", "unexpected: extra",
                "MH.0.out_proj.bias has shape \\(5\\), expected \\(4\\)")
  expect_error(load_weights(saved(weights)), paste(problems, collapse = "\n *"))
  expect_error(load_weights(saved(list(a = 1))), "the weights hold no matrix wpe.weight")
})
