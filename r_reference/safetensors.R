# Safetensors files in base R. A file is: the header's length (8 bytes, little endian), the header
# (JSON: for each tensor its dtype, shape and place), and the tensors' bytes, row-major.
# R's arrays are column-major: an array (a, b, c) is written as its transpose's memory.
# Needs json.R. Format: the README of huggingface/safetensors.

#' dtypes that R can hold exactly, with their sizes in bytes, in the order in which the Rust writer
#' puts them into a file (widest alignment first).
safetensors_sizes <- c(I64 = 8, F64 = 8, F32 = 4, I32 = 4)

#' The dtypes, for a message.
known_dtypes <- function() paste(names(safetensors_sizes), collapse = ", ")

#' Read a safetensors file.
#'
#' @param path the file.
#' @return list(tensors, dtypes, metadata). tensors: a named list of arrays in the file's order with the tensors'
#'   shapes (a scalar is a plain number without dim); integers come as doubles. dtypes: a named vector. metadata: a
#'   named list of strings, NULL where the file has none. Stops, with the path, at a file that is not whole.
#' @source the README of huggingface/safetensors.
#' @export
read_safetensors <- function(path) {
  wrong <- function(...) stop(path, ": ", ..., call. = FALSE)
  if (!file.exists(path)) wrong("no such file")
  size <- file.info(path)$size
  bytes <- readBin(path, "raw", size)
  header <- safetensors_header(bytes, wrong)
  data <- bytes[-seq_len(header$length + 8)]
  entries <- header$entries[setdiff(names(header$entries), "__metadata__")]
  starts <- vapply(entries, function(entry) entry$data_offsets[[1]], 0)
  entries <- entries[order(starts, seq_along(starts))]
  check_layout(entries, length(data), wrong)
  list(tensors = Map(function(entry, name) tensor_from_bytes(data, entry, name, wrong), entries, names(entries)),
       dtypes = vapply(entries, function(entry) entry$dtype, ""),
       metadata = header$entries[["__metadata__"]])
}

#' The header's length in bytes, which the first 8 bytes give.
header_length <- function(bytes, wrong) {
  if (length(bytes) < 8) wrong("truncated, or not a safetensors file: it has ", length(bytes), " bytes")
  halves <- readBin(bytes[1:8], "integer", 2, size = 4, endian = "little")
  # the format's own limit is 100 MB, so a second half other than 0 is no length
  if (anyNA(halves) || halves[2] != 0 || halves[1] < 2 || halves[1] > 1e8) {
    wrong("not a safetensors file: no header length in its first 8 bytes")
  }
  halves[1]
}

#' The header as a list, with its length in bytes. wrong(...) stops with the file's path and what is wrong.
safetensors_header <- function(bytes, wrong) {
  length <- header_length(bytes, wrong)
  if (length(bytes) > 8 && bytes[9] != charToRaw("{")) {
    wrong("not a safetensors file: its header does not begin with {")
  }
  if (length(bytes) < 8 + length) {
    wrong("truncated: the header needs ", length, " bytes, ", length(bytes) - 8, " are there")
  }
  entries <- tryCatch({
    text <- rawToChar(bytes[8 + seq_len(length)])
    if (!validUTF8(text)) stop("not UTF-8")
    Encoding(text) <- "UTF-8"
    from_json(text)
  }, error = function(e) wrong("not a safetensors file: its header is damaged (", conditionMessage(e), ")"))
  tensors <- entries[setdiff(names(entries), "__metadata__")]
  for (name in names(tensors)) check_entry(tensors[[name]], name, wrong)
  list(entries = entries, length = length)
}

#' Stop where a tensor's entry is not {dtype, shape, data_offsets} with offsets that fit its shape.
check_entry <- function(entry, name, wrong) {
  if (!is_entry(entry)) {
    wrong("not a safetensors file: ", name, " has no dtype, shape and data_offsets")
  }
  size <- safetensors_sizes[entry$dtype]
  if (is.na(size)) {
    wrong("unknown dtype ", entry$dtype, " of ", name, "; this reader knows ", known_dtypes())
  }
  bytes <- prod(as.numeric(unlist(entry$shape))) * size
  if (entry$data_offsets[[2]] - entry$data_offsets[[1]] != bytes) {
    wrong("not a safetensors file: the place of ", name, " does not fit its shape, ", bytes, " bytes")
  }
}

#' Whether x is list(dtype, shape, data_offsets) as JSON gives it, whatever the numbers mean.
is_entry <- function(x) {
  counts <- function(x) is.list(x) && all(vapply(x, function(n) is.numeric(n) && n >= 0 && n == floor(n), NA))
  is.list(x) && is.character(x$dtype) && counts(x$shape) && counts(x$data_offsets) && length(x$data_offsets) == 2
}

#' Stop where the tensors (sorted by place) do not fill the data from its first byte to its last.
check_layout <- function(entries, size, wrong) {
  end <- 0
  for (name in names(entries)) {
    place <- entries[[name]]$data_offsets
    if (place[[1]] != end) wrong("not a safetensors file: a gap or an overlap before ", name)
    end <- place[[2]]
    if (end > size) wrong("truncated: ", name, " ends at byte ", end, " of the data, ", size, " are there")
  }
  if (end < size) wrong("not a safetensors file: ", size - end, " bytes after the last tensor")
}

#' One tensor's bytes as an array of its shape.
tensor_from_bytes <- function(data, entry, name, wrong) {
  place <- unlist(entry$data_offsets)
  shape <- as.numeric(unlist(entry$shape))
  bytes <- data[place[1] + seq_len(place[2] - place[1])]
  n <- prod(shape)
  values <- switch(entry$dtype,
    F32 = readBin(bytes, "double", n, size = 4, endian = "little"),
    F64 = readBin(bytes, "double", n, size = 8, endian = "little"),
    I32 = signed_32(readBin(bytes, "integer", n, size = 4, endian = "little")),
    I64 = {
      halves <- matrix(signed_32(readBin(bytes, "integer", 2 * n, size = 4, endian = "little")), 2)
      halves[2, ] * 2^32 + halves[1, ] %% 2^32
    })
  if (entry$dtype == "I64" && any(abs(values) >= 2^53)) wrong(name, " holds integers beyond a double's 2^53")
  if (length(shape) == 0) return(values)
  if (length(shape) == 1) return(array(values, shape))
  aperm(array(values, rev(shape)), rev(seq_along(shape)))
}

#' Integers as doubles. R reads the smallest 32-bit integer as NA.
signed_32 <- function(x) replace(as.numeric(x), is.na(x), -2^31)

#' Write a safetensors file.
#'
#' The bytes are those of Python's safetensors: tensors sorted by dtype, then by name; the header
#' padded with spaces to a multiple of 8. (Python's metadata come in a random order.)
#'
#' @param path the file.
#' @param tensors a named list of arrays; a plain vector has one dimension, a plain number none.
#' @param dtypes one for all, or a vector named by tensor: F32, F64, I32, I64.
#' @param metadata a named list of strings, written in its order, or NULL.
#' @return the path, invisibly. Stops at names that are missing or stand twice, and at numbers that an integer
#'   dtype cannot hold.
#' @source the README of huggingface/safetensors.
#' @export
write_safetensors <- function(path, tensors, dtypes = "F64", metadata = NULL) {
  dtypes <- tensor_dtypes(tensors, dtypes)
  by_alignment <- match(dtypes[names(tensors)], names(safetensors_sizes))
  tensors <- tensors[order(by_alignment, rank_of_bytes(names(tensors)))]
  sizes <- lengths(tensors) * safetensors_sizes[dtypes[names(tensors)]]
  ends <- cumsum(as.numeric(sizes))
  shapes <- vapply(tensors, function(x) paste(sprintf("%.0f", shape_of_tensor(x)), collapse = ","), "")
  entries <- sprintf("%s:{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%.0f,%.0f]}",
                     json_quote(names(tensors)), dtypes[names(tensors)], shapes, ends - sizes, ends)
  if (!is.null(metadata)) entries <- c(paste0("\"__metadata__\":", metadata_json(metadata)), entries)
  header <- charToRaw(paste0("{", paste(entries, collapse = ","), "}"))
  header <- c(header, rep(charToRaw(" "), -length(header) %% 8))
  data <- Map(tensor_to_bytes, tensors, dtypes[names(tensors)], names(tensors))
  connection <- file(path, "wb")
  on.exit(close(connection))
  writeBin(c(as.integer(length(header)), 0L), connection, size = 4, endian = "little")
  writeBin(c(header, unlist(data, use.names = FALSE)), connection)
  invisible(path)
}

#' Every tensor's dtype by name, checked.
tensor_dtypes <- function(tensors, dtypes) {
  tensor_names <- names(tensors)
  unnamed <- if (is.null(tensor_names)) length(tensors) > 0 else tensor_names %in% c("", "__metadata__")
  if (any(unnamed)) stop("every tensor needs a name, and not __metadata__")
  if (anyDuplicated(tensor_names)) stop("the name ", tensor_names[anyDuplicated(tensor_names)], " stands twice")
  if (is.null(names(dtypes))) dtypes <- setNames(rep(dtypes, length.out = length(tensors)), tensor_names)
  absent <- setdiff(tensor_names, names(dtypes))
  if (length(absent) > 0) stop("no dtype for ", paste(absent, collapse = ", "))
  unknown <- setdiff(dtypes, names(safetensors_sizes))
  if (length(unknown) > 0) stop("unknown dtype ", unknown[1], "; this writer knows ", known_dtypes())
  dtypes
}

#' Rank of names by their UTF-8 bytes, whatever the locale. The C locale sorts so.
rank_of_bytes <- function(names) match(seq_along(names), order(enc2utf8(names), method = "radix"))

#' dim, or the length of a plain vector; a plain number is a scalar, of no dimension.
shape_of_tensor <- function(x) {
  if (!is.null(dim(x))) dim(x) else if (length(x) == 1) numeric(0) else length(x)
}

#' {"key":"value",...} without spaces, as in a safetensors header.
metadata_json <- function(metadata) {
  if (length(metadata) == 0) return("{}")
  if (is.null(names(metadata)) || !all(vapply(metadata, function(m) is.character(m) && length(m) == 1, NA))) {
    stop("metadata must be a named list of strings")
  }
  paste0("{", paste0(json_quote(names(metadata)), ":", json_quote(unlist(metadata)), collapse = ","), "}")
}

#' One tensor's bytes, row-major and little endian.
tensor_to_bytes <- function(x, dtype, name) {
  if (!is.null(dim(x)) && length(dim(x)) > 1) x <- aperm(x, rev(seq_along(dim(x))))
  x <- as.numeric(x)
  if (dtype %in% c("I32", "I64")) {
    limit <- if (dtype == "I32") 2^31 else 2^53
    if (!all(is.finite(x) & x == floor(x) & x >= -limit & x < limit)) {
      stop(name, " holds numbers that ", dtype, " cannot hold exactly")
    }
    # the smallest 32-bit integer is R's NA
    as_32 <- function(v) suppressWarnings(as.integer(ifelse(v >= 2^31, v - 2^32, v)))
    if (dtype == "I64") x <- as.vector(rbind(as_32(x %% 2^32), as_32(floor(x / 2^32))))
    return(writeBin(as_32(x), raw(), size = 4, endian = "little"))
  }
  writeBin(x, raw(), size = if (dtype == "F32") 4 else 8, endian = "little")
}
