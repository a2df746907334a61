# The course's generation (exercises 2 and 3). Needs text.R.

#' Continue a prompt: the loop inside the course's Generate_Text_Base. It draws from torch's generator.
#'
#' @param model an R torch module, in eval mode.
#' @param idx a tensor of R ids (1, n).
#' @param max_new_tokens how many ids to add.
#' @param temperature what the logits are divided by.
#' @param block_size the longest window, in ids.
#' @param on_token a function, called with the tensor (1, 1) of each new id.
#' @return a tensor of R ids (1, n + max_new_tokens).
#' @source exercises 2 and 3, Generate_Text_Base.
#' @export
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

#' Print a prompt and what the model makes of it. The course's function, with its globals vocab and block_size as
#' arguments, and with the generated text returned.
#'
#' @param model_fitted luz's fitted object.
#' @param start_str the prompt.
#' @param vocab what build_vocabulary() returns.
#' @param block_size the longest window, in ids.
#' @param heading what is printed first, with sprintf()'s place for the prompt. Each exercise has its own.
#' @param max_new_tokens how many characters to generate.
#' @param temperature what the logits are divided by.
#' @return the generated text without the prompt, invisibly.
#' @source exercises 2 and 3.
#' @export
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
