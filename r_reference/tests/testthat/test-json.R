# json.R

#' A value drawn by R's generator: what to_json() can write.
drawn_value <- function(depth = 3) {
  kind <- sample(if (depth > 0) 6 else 4, 1)
  switch(kind,
         paste(sample(c("a", "\"", "\\", "\n", "\t", "\u00e9", "\U0001F600", "/", "\001"), 5, TRUE), collapse = ""),
         sample(c(TRUE, FALSE), 1),
         sample(c(0, -1, 0.1, 1e-7, 1.5e300, 301092, 0.123456789012345, 123456789012345), 1),
         NULL,
         lapply(seq_len(sample(0:3, 1)), function(i) drawn_value(depth - 1)),
         {
           keys <- sample(c("a", "b c", "\u00e7", "\""), sample(1:4, 1))
           setNames(lapply(keys, function(key) drawn_value(depth - 1)), keys)
         })
}

test_that("what is written is read back", {
  for (seed in 1:300) {
    set.seed(seed)
    value <- drawn_value()
    expect_identical(from_json(to_json(value)), value, label = to_json(value))
  }
})

test_that("JSON is written as Python's json.dumps writes it", {
  expect_identical(to_json(list(a = 1, b = list(0.001, TRUE, NULL), c = "\u00e9\"\n")),
                   "{\"a\": 1, \"b\": [0.001, true, null], \"c\": \"\u00e9\\\"\\n\"}")
  expect_identical(to_json(301092L), "301092")
  expect_identical(to_json(1e-8), "1e-08")
  expect_error(to_json(c(1, 2)), "one value at a time")
  expect_error(to_json(NA), "one value at a time")
})

test_that("escapes are read: a pair of surrogates is one character", {
  expect_identical(from_json("\"\\u00e9 \\ud83d\\ude00 \\/ \\\\n\""), "\u00e9 \U0001F600 / \\n")
  expect_error(from_json("\"\\ud83d\""), "half a surrogate pair")
  expect_error(from_json("\"\\x\""), "the escape")
  expect_error(from_json("\"\\u0000\""), "the character 0")
})

test_that("what is not JSON is refused, and the message says where", {
  wrong <- c("[1, 2" = "ends too early", "[1 2]" = "2 instead of , or ]", "{\"a\" 1}" = "1 instead of :",
             "{1: 2}" = "1 instead of a key", "[1,]" = "] instead of a value", "1 2" = "2 after its end",
             "nul" = "not JSON: nul", "{\"a\": 1, \"a\": 2}" = "the key a stands twice",
             "\"a\nb\"" = "control character", " " = "ends too early")
  for (text in names(wrong)) expect_error(from_json(text), wrong[[text]], fixed = TRUE, label = text)
})
