# Generation, with the random numbers handed in.

#' Continue `prompt` (ids, a vector or a (1, n) matrix) by new_tokens ids -> (1, n + new_tokens).
#' Each step crops to the last block_size ids, divides the last position's logits by the
#' temperature and takes their softmax. Exercise 2, Generate_Text_Base.
#' draws (new_tokens, nvoc): Exp(1) numbers; the next id is which.max(probs / draws[i, ]), which is
#' how torch.multinomial draws one id: the id with the smallest of the exponential waiting times
#' draws / probs wins, id j with probability probs[j]. NULL draws nothing: the likeliest id (greedy).
oracle_generate <- function(weights, prompt, n_head, block_size, new_tokens, temperature = 1, draws = NULL) {
  ids <- as.vector(prompt)
  if (length(ids) < 1) stop("the prompt is empty")
  if (!is.null(draws) && !all(dim(draws) == c(new_tokens, nrow(weights$wte.weight)))) {
    stop("draws must be a matrix, (new_tokens, nvoc) = (", new_tokens, ", ", nrow(weights$wte.weight), ")")
  }
  for (i in seq_len(new_tokens)) {
    window <- matrix(tail(ids, block_size), 1)
    logits <- oracle_forward(weights, window, n_head)$act.logits[1, ncol(window), ]
    probs <- softmax(matrix(logits / temperature, 1))
    ids <- c(ids, which.max(if (is.null(draws)) probs else probs / draws[i, ]))
  }
  matrix(ids, 1)
}
