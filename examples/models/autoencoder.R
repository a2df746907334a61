# An autoencoder of short words: it packs each word's vectors into a few numbers and brings the vectors back.
# Words are as long as the longest: the rest is padding, id 1.
library(torch)

Autoencoder <- nn_module(
  "Autoencoder",
  initialize = function(nvoc, n_embd, length, n_code) {
    self$length <- length
    self$emb <- nn_embedding(nvoc, n_embd, padding_idx = 1)
    self$encoder <- nn_sequential(nn_linear(length * n_embd, 2 * n_code), nn_tanh(), nn_linear(2 * n_code, n_code))
    self$decoder <- nn_sequential(nn_linear(n_code, 2 * n_code), nn_tanh(), nn_linear(2 * n_code, length * n_embd))
  },
  forward = function(ids) {
    vectors <- torch_flatten(self$emb(ids), start_dim = 2)
    code <- self$encoder(vectors)
    list(decoded = self$decoder(code), vectors = vectors, code = code)
  }
)

reconstruction <- function(output, target) nnf_mse_loss(output$decoded, output$vectors)

record <- function(path) {
  words <- c("banana", "pera", "uva", "manga", "kiwi")
  letters_used <- sort(unique(strsplit(paste(words, collapse = ""), "")[[1]]))
  ids <- t(sapply(words, function(word) {
    own <- match(strsplit(word, "")[[1]], letters_used) + 1
    c(own, rep(1, 6 - length(own)))
  }))
  record_module(Autoencoder, torch_tensor(unname(ids), dtype = torch_long()), path,
                args = list(nvoc = length(letters_used) + 1, n_embd = 4, length = 6, n_code = 5),
                loss = reconstruction, optimizer = optim_rmsprop, lr = 0.01)
}
