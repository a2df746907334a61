# JSON in base R: as much as a safetensors header and this project's metadata need.

#' Cut JSON text into tokens: strings, numbers, punctuation, literals. Stops at anything else.
json_tokens <- function(text) {
  # possessive (+): a long string must not use up the regular expression's stack
  token <- paste0('"[^"\\\\]*+(?:\\\\.[^"\\\\]*+)*+"', "|-?[0-9]+(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
                  "|[][{}:,]|true|false|null")
  tokens <- regmatches(text, gregexpr(token, text, perl = TRUE))[[1]]
  rest <- gsub(token, "", text, perl = TRUE)
  if (grepl("[^ \t\r\n]", rest)) stop("not JSON: ", substr(trimws(rest), 1, 40))
  tokens
}

#' Parse JSON text.
#'
#' @param text one string.
#' @return objects and arrays as lists (objects' named), strings, numbers and booleans as vectors of length 1,
#'   null as NULL. Stops at text that is not JSON and at a key that stands twice in an object.
#' @export
from_json <- function(text) {
  tokens <- json_reader(json_tokens(text))
  result <- json_value(tokens)
  if (!is.na(tokens$peek())) stop("not JSON: ", tokens$peek(), " after its end")
  result
}

#' Tokens one after another: take() moves on and stops after the last, peek() looks at the next, NA after the last.
json_reader <- function(tokens) {
  at <- 0
  list(peek = function() tokens[at + 1],
       take = function() {
         at <<- at + 1
         if (at > length(tokens)) stop("not JSON: it ends too early")
         tokens[at]
       })
}

#' The value that begins with the next token.
json_value <- function(tokens) {
  token <- tokens$take()
  if (startsWith(token, "\"")) return(json_unquote(token))
  switch(token, `{` = json_object(tokens), `[` = json_items(tokens, "]", json_value),
         true = TRUE, false = FALSE, null = NULL,
         `}` = , `]` = , `:` = , `,` = stop("not JSON: ", token, " instead of a value"),
         as.numeric(token))
}

#' An object, after its opening brace.
json_object <- function(tokens) {
  pairs <- json_items(tokens, "}", json_pair)
  keys <- vapply(pairs, function(p) p$key, "")
  if (anyDuplicated(keys)) stop("the key ", keys[anyDuplicated(keys)], " stands twice")
  setNames(lapply(pairs, function(p) p$value), keys)
}

#' A key of an object with its value.
json_pair <- function(tokens) {
  key <- tokens$take()
  if (!startsWith(key, "\"")) stop("not JSON: ", key, " instead of a key")
  colon <- tokens$take()
  if (colon != ":") stop("not JSON: ", colon, " instead of :")
  list(key = json_unquote(key), value = json_value(tokens))
}

#' The items of an object or array up to its closing token, each read by `item`.
json_items <- function(tokens, close, item) {
  items <- list()
  if (identical(tokens$peek(), close)) {
    tokens$take()
    return(items)
  }
  repeat {
    # a list of one: null must not delete its place
    items <- c(items, list(item(tokens)))
    separator <- tokens$take()
    if (separator == close) return(items)
    if (separator != ",") stop("not JSON: ", separator, " instead of , or ", close)
  }
}

json_escapes <- c(`"` = "\"", `\\` = "\\", `/` = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t")

#' A quoted JSON string as text.
json_unquote <- function(token) {
  inner <- substr(token, 2, nchar(token) - 1)
  if (grepl("[\x01-\x1f]", inner)) stop("not JSON: a control character inside a string")
  if (!grepl("\\", inner, fixed = TRUE)) return(inner)
  # a pair of surrogates is one character
  escape <- "\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\\\u[0-9a-fA-F]{4}|\\\\."
  escapes <- gregexpr(escape, inner, perl = TRUE)
  regmatches(inner, escapes) <- list(vapply(regmatches(inner, escapes)[[1]], json_unescape, "", USE.NAMES = FALSE))
  inner
}

#' One escape as the character it means.
json_unescape <- function(escape) {
  if (nchar(escape) == 2) {
    meant <- json_escapes[substr(escape, 2, 2)]
    if (is.na(meant)) stop("not JSON: the escape ", escape)
    return(unname(meant))
  }
  units <- strtoi(strsplit(sub("^\\\\u", "", escape), "\\u", fixed = TRUE)[[1]], 16L)
  code <- if (length(units) == 2) 0x10000 + (units[1] - 0xD800) * 0x400 + (units[2] - 0xDC00) else units
  if (code == 0) stop("R holds no text with the character 0 in it")
  if (code >= 0xD800 && code <= 0xDFFF) stop("not JSON: half a surrogate pair")
  intToUtf8(code)
}

#' Text as a quoted JSON string, escaped as Rust's serde_json does: only what must be.
json_quote <- function(text) {
  text <- enc2utf8(text)
  for (name in c("\\", "\"", "b", "f", "n", "r", "t")) {
    text <- gsub(json_escapes[[name]], paste0("\\", name), text, fixed = TRUE)
  }
  for (code in setdiff(1:31, c(8, 9, 10, 12, 13))) {
    text <- gsub(intToUtf8(code), sprintf("\\u%04x", code), text, fixed = TRUE)
  }
  paste0("\"", text, "\"")
}

#' Write JSON text on one line with a space after each comma and colon, as Python's json.dumps does.
#'
#' @param x named lists become objects, unnamed ones arrays, vectors of length 1 values, NULL null.
#'   Numbers are written with 15 digits at most.
#' @return one string. Stops at NA and at vectors of another length.
#' @export
to_json <- function(x) {
  if (is.list(x)) {
    items <- vapply(x, to_json, "", USE.NAMES = FALSE)
    if (is.null(names(x))) return(paste0("[", paste(items, collapse = ", "), "]"))
    return(paste0("{", paste0(json_quote(names(x)), ": ", items, collapse = ", "), "}"))
  }
  if (is.null(x)) return("null")
  if (length(x) != 1 || is.na(x)) stop("to_json writes one value at a time")
  if (is.character(x)) return(json_quote(x))
  if (is.logical(x)) return(tolower(x))
  format(x, digits = 15, scientific = abs(x) < 1e-5 && x != 0, trim = TRUE)
}
