# shakespeare_*: the whole of exercises 2 and 3 on Shakespeare.txt.

#' Record a whole exercise: shakespeare_LABEL_epochs.csv, _steps.csv and _generated.txt.
#' The trained weights are not kept, only their SHA-256 is said.
#'
#' @param model list(name, generator).
#' @param corpus Shakespeare.txt.
#' @param at FOLDER/LABEL: where the files go, and the label in their names.
#' @return nothing.
#' @source exercises 2 and 3.
#' @export
record_shakespeare <- function(model, corpus, at) {
  file_name <- function(what) file.path(dirname(at), paste0("shakespeare_", basename(at), "_", what))
  config <- course_config()
  raw_text <- read_corpus(corpus)
  vocab <- build_vocabulary(raw_text)
  tokens <- split_tokens(Encoder(unlist(strsplit(raw_text, "")), vocab))
  store <- new.env()
  fitted <- fit_model(set_up_model(model$generator, config, length(vocab)),
                      make_dataloaders(tokens$train, tokens$valid, config),
                      config, 42, list(step_losses_callback(store)))
  history <- loss_history(fitted)
  # %.9g gives a float32 back exactly
  writeLines(c("step,loss", sprintf("%d,%.9g", seq_along(store$losses), store$losses)), file_name("steps.csv"))
  writeLines(c("epoch,train,valid", sprintf("%d,%.9g,%.9g", history$epoch, history$train, history$valid)),
             file_name("epochs.csv"))
  torch::torch_manual_seed(123)
  text <- Generate_Text_Base(fitted, "MARCIUS: ", vocab, config$block_size, "\n--- %s ---\n", 400)
  cat(text, file = file_name("generated.txt"))
  message(model$name, ": SHA-256 of the trained weights ", weights_sha256(fitted$model))
}

#' SHA-256 over each tensor's name (UTF-8) and float32 bytes, in the order of the sorted names.
weights_sha256 <- function(model) {
  path <- tempfile()
  on.exit(unlink(path))
  connection <- file(path, "wb")
  weights <- model$state_dict()
  for (name in sort(names(weights), method = "radix")) {
    writeBin(charToRaw(enc2utf8(name)), connection)
    writeBin(torch::buffer_from_torch_tensor(weights[[name]]$detach()$cpu()$contiguous()), connection)
  }
  close(connection)
  sha256_of_file(path)
}
