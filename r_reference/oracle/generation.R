# Generation, with the random numbers handed in.

#' Continue a prompt. Each step crops to the last block_size ids, divides the last position's logits by the
#' temperature, takes their softmax and draws an id.
#'
#' @param weights,n_head as for oracle_forward().
#' @param prompt R ids, a vector or a matrix (1, n).
#' @param block_size the longest window, in ids.
#' @param new_tokens how many ids to add.
#' @param temperature what the logits are divided by.
#' @param draws numbers from Exp(1), (new_tokens, nvoc). The next id is which.max(probs / draws of the step), which is
#'   how torch.multinomial draws one id: the id with the smallest of the exponential waiting times draws / probs wins,
#'   id j with probability probs of j. NULL draws nothing: the likeliest id (greedy).
#' @return a matrix of R ids (1, n + new_tokens).
#' @source exercise 2, Generate_Text_Base.
#' @export
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
