# stream_*.safetensors: the course's configuration, trained by luz on a synthetic stream of ids.

#' Token i (from 1) of the stream: the R id 2 + ((i a) mod b) mod c. No text is needed.
stream_tokens <- function(n, stream) 2 + ((seq_len(n) * stream$a) %% stream$b) %% stream$c

#' What is done with the model, for the file's metadata.
stream_run <- function() {
  list(stream = list(a = 7919, b = 10007, c = 65), train_tokens = 3294, valid_tokens = 823, epochs = 2,
       batch_size = 64, lr = 0.001, max_norm = 1.0, seed = 42, prompt_tokens = 9, generate_seed = 123,
       temperature = 0.8, new_tokens = 200)
}

#' Record a training by luz.
#'
#' @param model list(name, generator).
#' @param path the file.
#' @param provenance what make_provenance() returns.
#' @return nothing.
#' @source exercises 2 and 3, on the stream's ids.
#' @export
record_stream <- function(model, path, provenance) {
  run <- stream_run()
  config <- course_config()
  config$epochs <- run$epochs
  tokens <- stream_tokens(run$train_tokens + run$valid_tokens, run$stream)
  train <- seq_len(run$train_tokens)
  nvoc <- run$stream$c + 1
  store <- new.env()
  fitted <- fit_model(set_up_model(model$generator, config, nvoc),
                      make_dataloaders(tokens[train], tokens[-train], config),
                      config, run$seed, list(step_losses_callback(store)))
  history <- loss_history(fitted)
  single <- function(x) torch::torch_tensor(x, dtype = torch::torch_float())
  tensors <- c(list(step_losses = single(store$losses), train_loss = single(history$train),
                    valid_loss = single(history$valid)),
               weight_copies(fitted$model, "final."))

  fitted$model$eval()
  torch::torch_manual_seed(run$generate_seed)
  prompt <- torch::torch_tensor(tokens[seq_len(run$prompt_tokens)], dtype = torch::torch_int())$unsqueeze(1)
  tensors$generated <- generate_ids(fitted$model, prompt, run$new_tokens, run$temperature, config$block_size)
  settings <- c(config[c("block_size", "n_embd", "N_Layers", "Head")], nvoc = nvoc, config["p0"])
  save_recording(tensors, path, "training", model$name, settings, run, provenance)
}
