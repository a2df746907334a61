# The course's text functions, and what the recorder says of itself, with no torch.

alphabet <- c("\n", " ", ",", "a", "B", "\u00e7", "\u4e16", "\U0001F600")

test_that("Decoder undoes Encoder", {
  vocabulary <- c("<PAD>", alphabet)
  for (seed in 1:20) {
    set.seed(seed)
    characters <- sample(alphabet, 50, replace = TRUE)
    ids <- Encoder(characters, vocabulary)
    expect_true(all(ids %in% 2:9))
    expect_identical(Decoder(ids, vocabulary), characters)
  }
  expect_identical(Encoder(c("a", "x"), c("<PAD>", "a")), c(2L, NA))
  expect_identical(Decoder(1, vocabulary), "<PAD>")
})

test_that("the vocabulary is PAD and each character once", {
  vocabulary <- build_vocabulary("banana, bandana\n")
  expect_identical(vocabulary[1], "<PAD>")
  expect_setequal(vocabulary[-1], c("\n", " ", ",", "a", "b", "d", "n"))
  expect_length(vocabulary, 8)
})

test_that("a text is read whole", {
  path <- tempfile()
  writeBin(charToRaw("one\n\ntwo"), path)
  expect_identical(read_corpus(path), "one\n\ntwo")
})

test_that("30% of the ids are used, of these 90% to train", {
  # floor(0.3 * 1000) = 300, floor(0.9 * 300) = 270
  expect_identical(split_tokens(1:1000), list(train = 1:270, valid = 271:300))
  # floor(3.3) = 3, floor(2.7) = 2
  expect_identical(split_tokens(1:11), list(train = 1:2, valid = 3L))
})

test_that("the stream's ids are those that R torch was recorded with", {
  generated <- read_safetensors(recording("stream_gpt.safetensors"))$tensors$generated
  run <- stream_run()
  expect_identical(stream_tokens(run$prompt_tokens, run$stream), generated[1, seq_len(run$prompt_tokens)])
  expect_identical(ncol(generated), as.integer(run$prompt_tokens + run$new_tokens))
})

test_that("SHA-256 is that of the standard's example", {
  path <- tempfile("with space ")
  writeBin(charToRaw("abc"), path)
  expect_identical(sha256_of_file(path), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
})

test_that("a processor is named by its first entry in /proc/cpuinfo", {
  path <- tempfile()
  about <- c("processor\t: 0", "cpu family\t: 25", "model\t\t: 17", "model name\t: A CPU", "flags\t\t: fpu avx2 fma")
  writeLines(c(about, "", sub("A CPU", "B CPU", about)), path)
  expect_identical(cpu_name(cpu_fields(path)), "A CPU (family 25, model 17)")
  expect_identical(cpu_capability(cpu_fields(path)), "AVX2")
  expect_identical(cpu_capability(c(flags = "avx2 fma avx512f avx512vl avx512bw avx512dq")), "AVX512")
  expect_identical(cpu_capability(c(flags = "avx2 fma avx512f")), "AVX2")
  expect_identical(cpu_capability(c(flags = "avx2")), "DEFAULT")
  expect_identical(cpu_capability(cpu_fields(tempfile())), "DEFAULT")
  expect_identical(cpu_name(cpu_fields(tempfile())), "unknown")
})
