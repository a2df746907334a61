# vocabulary.json: the corpus's characters in the two orders that R's sort() gives. Needs no torch.

#' Record the order of the corpus's characters, as Python's json.dumps(indent=1) would write it.
#'
#' @param corpus Shakespeare.txt.
#' @param path the file.
#' @return nothing.
#' @export
record_vocabulary <- function(corpus, path) {
  raw_text <- read_corpus(corpus)
  # under a locale other than C, sort() goes by ICU; the radix method is the C locale's order
  icu <- build_vocabulary(raw_text)[-1]
  orders <- list(
    icu = list(what = "R sort() with LC_COLLATE=C.UTF-8 (or any non-C locale) on an R built with ICU",
               characters = icu),
    c = list(what = "R sort() with LC_COLLATE=C, which is also Python's sorted()",
             characters = sort(icu, method = "radix")))
  blocks <- vapply(names(orders), function(name) {
    points <- vapply(orders[[name]]$characters, utf8ToInt, 0L)
    paste0("  \"", name, "\": {\n   \"what\": ", json_quote(orders[[name]]$what), ",\n   \"code_points\": [\n",
           paste0("    ", points, collapse = ",\n"), "\n   ]\n  }")
  }, "")
  text <- paste0("{\n \"pad\": \"<PAD>\",\n \"corpus_sha256\": \"", sha256_of_file(corpus), "\",\n",
                 " \"corpus_characters\": ", nchar(raw_text), ",\n",
                 " \"orders\": {\n", paste(blocks, collapse = ",\n"), "\n }\n}")
  cat(text, file = path)
  message("wrote ", path)
}

#' SHA-256 of a file: R has it from 4.5 on, the system's sha256sum serves before.
sha256_of_file <- function(path) {
  if ("sha256sum" %in% getNamespaceExports("tools")) return(unname(getExportedValue("tools", "sha256sum")(path)))
  programs <- Sys.which(c("sha256sum", "shasum"))
  if (all(programs == "")) stop("neither R nor the system can make a SHA-256")
  answer <- if (programs[1] != "") {
    system2(programs[1], shQuote(path), stdout = TRUE)
  } else {
    system2(programs[2], c("-a", "256", shQuote(path)), stdout = TRUE)
  }
  # sha256sum marks a name it had to escape with a backslash in front
  sub("^\\\\", "", substr(answer[1], 1, 64))
}
