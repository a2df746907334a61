# What the worker (worker.py) runs everything through: an R error is told with its traceback, never
# raised. Evaluates to the functions by name; defines nothing in the global environment.
local({
  # A character vector in UTF-8; NULL where it holds bytes that are no text.
  utf8 <- function(texts) {
    encodings <- Encoding(texts)
    if (any(encodings == "bytes") || !all(validUTF8(texts[encodings != "latin1"]))) return(NULL)
    enc2utf8(texts)
  }

  # The same for messages, which must arrive in any case.
  readable <- function(texts) enc2utf8(iconv(texts, "", "UTF-8", sub = "byte"))

  # One line for a call, with the place it was made from where R knows it.
  label <- function(call) {
    text <- deparse(call, width.cutoff = 160L, nlines = 1L)[1]
    from <- attr(call, "srcref")
    if (is.null(from)) return(text)
    paste0(basename(attr(from, "srcfile")$filename), "#", from[1], ": ", text)
  }

  # Labels, outermost first; the middle of a very deep traceback is left out.
  labels <- function(calls) {
    n <- length(calls)
    if (n <= 40) return(vapply(calls, label, ""))
    c(vapply(calls[1:20], label, ""), sprintf("... %d calls ...", n - 40), vapply(calls[(n - 19):n], label, ""))
  }

  is_call_of <- function(call, names) is.name(call[[1]]) && as.character(call[[1]]) %in% names

  # The calls from what was asked for down to the one that failed: neither those of this file nor of R's handlers.
  relevant <- function(calls) {
    calls <- calls[-seq_len(Position(function(call) is_call_of(call, "withCallingHandlers"), calls))]
    wanted <- Position(function(call) !is_call_of(call, c("eval", "withVisible", "as.list")), calls)
    if (is.na(wanted)) return(list())
    calls <- calls[wanted:length(calls)]
    if (is_call_of(calls[[length(calls)]], ".handleSimpleError")) calls[-length(calls)] else calls
  }

  # list(value) of `action`, or list(message, call, traceback) of the error that it ran into.
  guard <- function(action) {
    calls <- list()
    remember <- function(error) calls <<- relevant(sys.calls()[seq_len(sys.nframe() - 1)])
    tryCatch(
      withCallingHandlers(list(action), error = remember),
      error = function(error) {
        call <- conditionCall(error)
        call <- if (is.null(call)) NA_character_ else label(call)
        list(readable(conditionMessage(error)), readable(call), readable(labels(calls)))
      }
    )
  }

  list(
    # The function of that name with a list of arguments, named or not. They are passed by name, so that
    # a traceback shows f(weights = weights) and not a million numbers.
    call = function(name, arguments) {
      given <- names(arguments)
      if (is.null(given)) given <- character(length(arguments))
      variables <- ifelse(given == "", sprintf(".arg%d", seq_along(arguments)), given)
      frame <- list2env(stats::setNames(arguments, variables), parent = globalenv())
      guard(eval(as.call(c(str2lang(name), stats::setNames(lapply(variables, as.name), given))), frame))
    },

    # The last value of `code` where R would print it, else NULL.
    evaluate = function(code) guard({
      result <- list(visible = FALSE)
      for (expression in as.list(parse(text = code, encoding = "UTF-8", keep.source = TRUE))) {
        result <- withVisible(eval(expression, globalenv()))
      }
      if (result$visible) result$value
    }),

    source = function(path) guard({
      source(path, encoding = "UTF-8", keep.source = TRUE)
      NULL
    }),

    utf8 = utf8, double = double, integer = integer, logical = logical
  )
})
