# Text and ids, as in the course's code for exercises 2 and 3.

#' Characters -> R ids (1-based, PAD = 1). Exercise 3's form; exercise 2's fills a vector of zeros
#' first and overwrites it, with the same result.
Encoder <- function(File_chars, Vocabulary) {
  lookup <- setNames(seq_along(Vocabulary), Vocabulary)
  unname(lookup[File_chars])
}

#' R ids -> characters. Exercises 2 and 3.
Decoder <- function(File_indices, Vocabulary) Vocabulary[File_indices]

#' A text file as one string. The course first downloads the file where it is absent, from the
#' address of a web page about it; here the file must be there.
read_corpus <- function(file_name) {
  readChar(file_name, file.info(file_name)$size)
}

#' "<PAD>" and the text's characters. sort() follows the locale: the order is part of a run.
build_vocabulary <- function(raw_text) {
  vocab <- sort(unique(unlist(strsplit(raw_text, ""))))
  c("<PAD>", vocab)
}

#' The course's share of the tokens, split into training and validation: 30%, then 90% / 10%.
#' The PDF lost the multiplication signs: "0.3 length(full_tokens)", "0.9 length(subset_tokens)".
split_tokens <- function(full_tokens) {
  limit_data <- floor(0.3 * length(full_tokens))
  subset_tokens <- full_tokens[1:limit_data]
  train_len <- floor(0.9 * length(subset_tokens))
  list(train = subset_tokens[1:train_len],
       valid = subset_tokens[(train_len + 1):length(subset_tokens)])
}
