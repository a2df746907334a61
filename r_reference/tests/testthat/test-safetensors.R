# safetensors.R. The format is that of the README of huggingface/safetensors.

#' A file by hand: the header's length in 8 bytes, the header, the data.
by_hand <- function(header, data, length = nchar(header, "bytes")) {
  path <- tempfile()
  eight <- as.raw(c(length %% 256, length %/% 256, 0, 0, 0, 0, 0, 0))
  writeBin(c(eight, charToRaw(enc2utf8(header)), as.raw(data)), path)
  path
}

test_that("a file made by hand is read", {
  header <- paste0("{\"__metadata__\":{\"a\":\"\u00e9\"},",
                   "\"m\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},",
                   "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}")
  # -2 as int64; the float32 1, 2, 0.5 are 3F800000, 40000000, 3F000000, little endian
  one <- c(0, 0, 0x80, 0x3F)
  two <- c(0, 0, 0, 0x40)
  half <- c(0, 0, 0, 0x3F)
  file <- read_safetensors(by_hand(header, c(0xFE, rep(0xFF, 7), one, two, half, half, one, two)))
  expect_identical(names(file$tensors), c("n", "m"))
  expect_identical(file$tensors$n, -2)
  # row-major: the first row is 1, 2, 0.5
  expect_identical(file$tensors$m, rbind(c(1, 2, 0.5), c(0.5, 1, 2)))
  expect_identical(file$dtypes, c(n = "I64", m = "F32"))
  expect_identical(file$metadata, list(a = "\u00e9"))
})

test_that("a file is written byte by byte as the format says", {
  path <- tempfile()
  write_safetensors(path, list(b = array(1, 1), a = matrix(c(1, 2, 3, 4), 2, byrow = TRUE)), "I32", list(k = "v"))
  # tensors by name, the header padded with spaces to a multiple of 8
  header <- paste0("{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]},",
                   "\"b\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[16,20]}}")
  padded <- paste0(header, strrep(" ", -nchar(header) %% 8))
  expected <- by_hand(padded, rbind(c(1, 2, 3, 4, 1), 0, 0, 0))
  expect_identical(readBin(path, "raw", 1e4), readBin(expected, "raw", 1e4))
})

test_that("what is written is read back, for each dtype and shape", {
  shapes <- list(scalar = NULL, vector = 5, matrix = c(2, 3), cube = c(2, 3, 4), four = c(2, 1, 3, 2), empty = c(0, 3))
  largest <- c(I64 = 2^53 - 1, I32 = 2^31 - 1, F64 = 1e300, F32 = 2^100)
  for (dtype in names(largest)) {
    set.seed(1)
    draw <- function(n) {
      values <- round(runif(n, -1, 1) * 2^20) / if (startsWith(dtype, "F")) 2^10 else 1
      replace(values, seq_len(min(n, 2)), c(largest[[dtype]], -largest[[dtype]])[seq_len(min(n, 2))])
    }
    tensors <- lapply(shapes, function(shape) if (is.null(shape)) draw(1) else array(draw(prod(shape)), shape))
    names(tensors)[2] <- "vector \u00e9\""
    path <- tempfile()
    write_safetensors(path, tensors, dtype, list(why = "\u4e16\n"))
    file <- read_safetensors(path)
    expect_setequal(names(file$tensors), names(tensors))
    expect_identical(file$tensors[names(tensors)], tensors)
    expect_identical(unique(file$dtypes), dtype)
    expect_identical(file$metadata, list(why = "\u4e16\n"))
  }
})

test_that("the smallest 32-bit integer is no NA", {
  path <- tempfile()
  for (dtype in c("I32", "I64")) {
    write_safetensors(path, list(a = array(c(-2^31, 2^31 - 1, -1), 3)), dtype)
    expect_identical(read_safetensors(path)$tensors$a, array(c(-2^31, 2^31 - 1, -1), 3))
  }
})

test_that("numbers that a float32 cannot hold become its nearest", {
  path <- tempfile()
  write_safetensors(path, list(a = array(0.1, 1)), "F32")
  # 0.1 is 0x3DCCCCCD: 13421773 / 2^27
  expect_identical(read_safetensors(path)$tensors$a, array(13421773 / 2^27, 1))
})

test_that("R torch's recordings keep their tensors through reading and writing", {
  for (name in c("tiny_gpt", "tiny_gpt_noattn")) {
    file <- read_safetensors(recording(paste0(name, ".safetensors")))
    path <- tempfile()
    write_safetensors(path, file$tensors, file$dtypes, file$metadata)
    again <- read_safetensors(path)
    expect_identical(again$tensors[names(file$tensors)], file$tensors)
    expect_identical(again$metadata, file$metadata)
  }
})

test_that("a file cut off anywhere is refused, with its path", {
  path <- tempfile("damaged")
  write_safetensors(path, list(a = array(1:4, 4), b = array(0, c(2, 2))), "F32")
  bytes <- readBin(path, "raw", 1e4)
  for (n in seq_along(bytes) - 1) {
    writeBin(bytes[seq_len(n)], path)
    expect_error(read_safetensors(path), "damaged.*(truncated|not a safetensors file)")
  }
  writeBin(c(bytes, as.raw(0)), path)
  expect_error(read_safetensors(path), "1 bytes after the last tensor")
  expect_error(read_safetensors(tempfile("absent")), "absent.*no such file")
})

test_that("headers that contradict themselves are refused", {
  entry <- function(offsets, dtype = "F32", shape = "[1]") {
    sprintf("{\"a\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}}", dtype, shape, offsets)
  }
  expect_error(read_safetensors(by_hand(entry("[0,8]"), 1:8)), "the place of a does not fit its shape, 4 bytes")
  expect_error(read_safetensors(by_hand(entry("[4,8]"), 1:8)), "a gap or an overlap before a")
  expect_error(read_safetensors(by_hand(entry("[0,2]", "BF16"), 1:2)), "unknown dtype BF16 of a")
  expect_error(read_safetensors(by_hand(entry("[0,4]", shape = "[-1]"), 1:4)), "a has no dtype, shape and data_offsets")
  expect_error(read_safetensors(by_hand(entry("[0,4]", shape = "1"), 1:4)), "a has no dtype, shape and data_offsets")
  expect_error(read_safetensors(by_hand("{\"a\":1}", 1)), "a has no dtype, shape and data_offsets")
  expect_error(read_safetensors(by_hand("{\"a\"}", 1)), "its header is damaged")
  expect_error(read_safetensors(by_hand("[1]", 1)), "does not begin with \\{")
  huge <- c(0, 0, 0, 0, 0, 0, 0x20, 0)
  expect_error(read_safetensors(by_hand(entry("[0,8]", "I64"), huge)), "integers beyond a double's 2\\^53")
})

test_that("what cannot be written is refused", {
  write <- function(...) write_safetensors(tempfile(), ...)
  expect_error(write(list(1, 2)), "every tensor needs a name")
  expect_error(write(list(a = 1, a = 2)), "the name a stands twice")
  expect_error(write(list(a = 1), "F16"), "unknown dtype F16")
  expect_error(write(list(a = 1), c(b = "F32")), "no dtype for a")
  expect_error(write(list(a = 0.5), "I32"), "a holds numbers that I32 cannot hold exactly")
  expect_error(write(list(a = 2^31), "I32"), "a holds numbers that I32 cannot hold exactly")
  expect_error(write(list(a = 1), metadata = list(n = 1)), "metadata must be a named list of strings")
})
