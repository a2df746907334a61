# An exercise whose settings a file says, on R torch and luz: what pygpt's engine r is held against.
# Rscript any_exercise.R --settings FILE.json --corpus FILE --out DIR

#' The options of this script.
any_exercise_options <- function() {
  list(option("settings", "FILE", "JSON: the model's settings under R's names, the training's, the text's",
              read_file_name, required = TRUE),
       option("corpus", "FILE", "the text to learn from", read_file_name, required = TRUE),
       option("out", "DIR", "folder for the history, the steps, the text and the weights' hash", read_folder,
              required = TRUE))
}

#' Train as the settings say, and leave history.csv, steps.csv, generated.txt and weights.txt (their SHA-256).
main <- function() {
  values <- read_options("Train an exercise of one's own in R.", any_exercise_options())
  require_packages()
  config <- from_json(readChar(values$settings, file.info(values$settings)$size))
  raw_text <- read_corpus(values$corpus)
  vocab <- build_vocabulary(raw_text)
  tokens <- split_tokens(Encoder(unlist(strsplit(raw_text, "")), vocab), config$share, config$train_share)
  torch::torch_set_num_threads(config$threads)
  store <- new.env()
  generator <- if (config$model == "GPT") gpt_module() else gpt_noattn_module()
  fitted <- fit_model(set_up_model(generator, config, length(vocab)),
                      make_dataloaders(tokens$train, tokens$valid, config),
                      config, config$seed, list(step_losses_callback(store)), max_norm = config$max_norm)
  dir.create(values$out, recursive = TRUE, showWarnings = FALSE)
  save_history(fitted, store$losses, values$out)
  torch::torch_manual_seed(config$text_seed)
  text <- Generate_Text_Base(fitted, config$prompt, vocab, config$block_size, "\n--- %s ---\n", config$new_tokens,
                             config$temperature)
  cat(text, file = file.path(values$out, "generated.txt"))
  cat(weights_sha256(fitted$model), file = file.path(values$out, "weights.txt"))
}

if (sys.nframe() == 0L) {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
  source(file.path(dirname(gsub("~+~", " ", script, fixed = TRUE)), "bootstrap.R"), encoding = "UTF-8")
  source_here("arguments.R", "json.R", "course", "run_exercise.R", "record/shakespeare.R", "record/vocabulary.R")
  main()
}
