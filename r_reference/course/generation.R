# The course's generation (exercises 2 and 3). Needs text.R.

#' Continue idx, a tensor (1, n) of R ids, by max_new_tokens ids -> (1, n + max_new_tokens).
#' The loop inside the course's Generate_Text_Base; on_token is called with each new id's tensor.
generate_ids <- function(model, idx, max_new_tokens, temperature, block_size, on_token = function(idx_next) NULL) {
  torch::with_no_grad({
    for (i in 1:max_new_tokens) {
      idx_cond <- if (idx$size(2) <= block_size) idx else idx[, (idx$size(2) - block_size + 1):idx$size(2)]
      # P(X_t | X_<t)
      logits <- model(idx_cond)
      logits <- logits[, logits$size(2), ] / temperature
      probs <- torch::nnf_softmax(logits, dim = -1)
      idx_next <- torch::torch_multinomial(probs, num_samples = 1)
      on_token(idx_next)
      idx <- torch::torch_cat(list(idx, idx_next), 2)
    }
  })
  idx
}

#' Print start_str and what the model makes of it. The course's function, with its globals vocab
#' and block_size as arguments, and the generated text returned, without start_str.
#' heading: what is printed first; %s is start_str. Each exercise has its own.
Generate_Text_Base <- function(model_fitted, start_str, vocab, block_size, heading,
                               max_new_tokens = 300, temperature = 0.8) {
  model <- model_fitted$model
  model$eval()
  device <- if (torch::cuda_is_available()) "cuda" else "cpu"
  model$to(device = device)
  start_tokens <- Encoder(unlist(strsplit(start_str, "")), vocab)
  idx <- torch::torch_tensor(start_tokens, dtype = torch::torch_int(), device = device)$unsqueeze(1)
  cat(sprintf(heading, start_str))
  cat(start_str)
  generated <- character(0)
  generate_ids(model, idx, max_new_tokens, temperature, block_size, function(idx_next) {
    character <- Decoder(as.integer(idx_next$cpu()), vocab)
    cat(character)
    generated[length(generated) + 1] <<- character
  })
  cat("\n\n")
  invisible(paste(generated, collapse = ""))
}
