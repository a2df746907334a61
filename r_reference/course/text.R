# Text and ids, as in the course's code for exercises 2 and 3.

#' Characters -> R ids (1-based, PAD = 1).
#'
#' @param File_chars a vector of single characters.
#' @param Vocabulary what build_vocabulary() returns.
#' @return a vector of ids, NA for a character that is not in the vocabulary.
#' @source exercise 3; exercise 2 fills a vector of zeros first and overwrites it, with the same result.
#' @export
Encoder <- function(File_chars, Vocabulary) {
  lookup <- setNames(seq_along(Vocabulary), Vocabulary)
  unname(lookup[File_chars])
}

#' R ids -> characters.
#'
#' @param File_indices a vector of R ids.
#' @param Vocabulary what build_vocabulary() returns.
#' @return a vector of single characters, and "<PAD>" for 1.
#' @source exercises 2 and 3.
#' @export
Decoder <- function(File_indices, Vocabulary) Vocabulary[File_indices]

#' A text file as one string. The course first downloads the file where it is absent, from the
#' address of a web page about it; here the file must be there.
#'
#' @param file_name the file, in the locale's encoding.
#' @return one string.
#' @source exercises 2 and 3.
#' @export
read_corpus <- function(file_name) {
  readChar(file_name, file.info(file_name)$size)
}

#' "<PAD>" and the text's characters. sort() follows the locale: the order is part of a run.
#'
#' @param raw_text one string.
#' @return a vector of single characters in the order of their ids; the first is "<PAD>".
#' @source exercises 2 and 3.
#' @export
build_vocabulary <- function(raw_text) {
  vocab <- sort(unique(unlist(strsplit(raw_text, ""))))
  c("<PAD>", vocab)
}

#' The course's share of the tokens, split into training and validation: 30%, then 90% / 10%.
#' The PDF lost the multiplication signs: "0.3 length(full_tokens)", "0.9 length(subset_tokens)".
#'
#' @param full_tokens a vector of R ids, the whole text's.
#' @param share,train_share how much of it is used, and how much of that is trained on.
#' @return list(train, valid), vectors of R ids.
#' @source exercises 2 and 3.
#' @export
split_tokens <- function(full_tokens, share = 0.3, train_share = 0.9) {
  limit_data <- floor(share * length(full_tokens))
  subset_tokens <- full_tokens[1:limit_data]
  train_len <- floor(train_share * length(subset_tokens))
  list(train = subset_tokens[1:train_len],
       valid = subset_tokens[(train_len + 1):length(subset_tokens)])
}
