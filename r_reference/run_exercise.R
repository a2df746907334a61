# What exercises 2 and 3 do, from the corpus to the text, and what they leave behind.
# Needs arguments.R, json.R and course/.

#' The command line of both exercises.
exercise_options <- function() {
  list(option("seed", "N", "torch's seed, set just before the training", read_whole(0, 2^31 - 1), 42L),
       option("corpus", "FILE", "the text to learn from, Shakespeare.txt in the course", read_file_name,
              required = TRUE),
       option("epochs", "N", "epochs", read_whole(1, 1e6), 3L),
       option("threads", "N", "threads of torch; their number shows in the last bits", read_whole(1, 1024), 1L),
       option("out", "DIR", "folder for the history, the weights, the figure and the text", read_folder,
              required = TRUE))
}

#' Do an exercise with the options on the command line, and leave its five files in the folder --out.
#'
#' @param exercise list(number, name, generator, figure, heading, new_tokens): the exercise's number, the model's
#'   name, the function that gives its module's generator, the function that draws luz's fitted object, the line
#'   above the generated text with %s for the prompt, and the number of characters to generate.
#' @return nothing.
#' @export
run_exercise <- function(exercise) {
  values <- read_options(sprintf("Exercise %d of the course: train %s and generate text.",
                                 exercise$number, exercise$name), exercise_options())
  require_packages()
  config <- course_config()
  config$epochs <- values$epochs
  raw_text <- read_corpus(values$corpus)
  vocab <- build_vocabulary(raw_text)
  tokens <- split_tokens(Encoder(unlist(strsplit(raw_text, "")), vocab))
  shortest <- config$block_size + 1
  if (min(lengths(tokens)) < shortest) {
    refuse(values$corpus, " is too short: training and validation need ", shortest, " characters each")
  }
  # the course's line; it seeds R's generator, from which nothing here draws
  set.seed(42)
  torch::torch_set_num_threads(values$threads)
  dataloaders <- make_dataloaders(tokens$train, tokens$valid, config)
  model_setup <- set_up_model(exercise$generator(), config, length(vocab))
  store <- new.env()
  fitted <- fit_model(model_setup, dataloaders, config, values$seed, list(step_losses_callback(store)))

  dir.create(values$out, recursive = TRUE, showWarnings = FALSE)
  save_history(fitted, store$losses, values$out)
  save_fitted_weights(fitted, exercise$name, config, vocab, values$seed, file.path(values$out, "weights.safetensors"))
  save_figure(exercise$figure, fitted, file.path(values$out, "figure.png"))
  text <- Generate_Text_Base(fitted, "MARCIUS: ", vocab, config$block_size, exercise$heading, exercise$new_tokens)
  cat(text, file = file.path(values$out, "generated.txt"))
}

#' history.csv: epoch, train, valid; steps.csv: step, loss. %.9g gives a float32 back exactly.
save_history <- function(fitted, step_losses, folder) {
  history <- loss_history(fitted)
  writeLines(c("epoch,train,valid", sprintf("%d,%.9g,%.9g", history$epoch, history$train, history$valid)),
             file.path(folder, "history.csv"))
  writeLines(c("step,loss", sprintf("%d,%.9g", seq_along(step_losses), step_losses)), file.path(folder, "steps.csv"))
}

#' The trained weights, with what is needed to use them: settings, and the vocabulary's code points
#' in their order (PAD, id 1, has none).
save_fitted_weights <- function(fitted, name, config, vocab, seed, path) {
  settings <- c(config[c("block_size", "n_embd", "N_Layers", "Head")], nvoc = length(vocab), config["p0"])
  run <- c(config[c("epochs", "batch_size", "lr")], max_norm = 1, seed = seed)
  metadata <- list(model = name, model_settings = to_json(settings), run = to_json(run),
                   vocabulary = to_json(as.list(utf8ToInt(paste(vocab[-1], collapse = "")))))
  safetensors::safe_save_file(fitted$model$state_dict(), path, metadata = metadata)
}

#' Draw one of the course's figures into a PNG.
save_figure <- function(draw, fitted, path) {
  png(path, width = 1600, height = 800, res = 150)
  on.exit(dev.off())
  draw(fitted)
}
