# Makes pygpt/icu_root_order.txt: the order that sort() gives single characters where R collates with ICU.
# Run with LC_ALL=C.UTF-8 Rscript r_reference/icu_order.R pygpt/icu_root_order.txt
#
# The blocks: Latin, Greek, Cyrillic, Armenian, punctuation, symbols, emoji. Other scripts are left out.
# Which code points are assigned is asked of R: it knows Unicode's classes through [[:print:]] and [[:cntrl:]].

#' The assigned code points of the blocks above, in hexadecimal: a string for each rank, lowest first.
root_order <- function() {
  code_points <- c(0x1:0x58F, 0x1E00:0x2C5F, 0x3000:0x303F, 0xFB00:0xFB06, 0xFEFF, 0xFFFD, 0x1F000:0x1FAFF)
  characters <- intToUtf8(code_points, multiple = TRUE)
  assigned <- grepl("^[[:print:][:cntrl:]]$", characters)
  code_points <- code_points[assigned]
  # rank() and sort() compare by the same collation; equal ranks are characters that ICU holds equal.
  ranks <- rank(characters[assigned], ties.method = "min")
  by_rank <- split(sprintf("%X", code_points), ranks)
  vapply(by_rank, paste, character(1), collapse = " ")
}

main <- function(arguments = commandArgs(trailingOnly = TRUE)) {
  if (length(arguments) != 1) stop("usage: Rscript icu_order.R FILE")
  if (!capabilities("ICU") || icuGetCollate() != "root") {
    stop("this R does not collate by ICU's root order: set LC_ALL=C.UTF-8")
  }
  header <- c("# ICU %s root collation of single characters, as R %s's sort() gave it: one rank a line, lowest first,",
              "# code points in hexadecimal, those that collate as equal on one line. Made by r_reference/icu_order.R.")
  writeLines(c(sprintf(header[1], extSoftVersion()[["ICU"]], getRversion()), header[2], root_order()), arguments)
}

if (sys.nframe() == 0L) main()
