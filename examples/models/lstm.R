# A language model: embedding, two layers of LSTM with dropout between them, and a score for each character.
library(torch)

Lstm <- nn_module(
  "Lstm",
  initialize = function(nvoc, n_embd, n_hidden, p) {
    self$emb <- nn_embedding(nvoc, n_embd)
    self$rnn <- nn_lstm(n_embd, n_hidden, num_layers = 2, dropout = p, batch_first = TRUE)
    self$out <- nn_linear(n_hidden, nvoc)
  },
  forward = function(ids) {
    states <- self$rnn(self$emb(ids))[[1]]
    self$out(states)
  }
)

record <- function(path) {
  text <- utf8ToInt("to be or not to be that is the question ")
  ids <- match(text, sort(unique(text)))
  windows <- t(sapply(c(1, 8, 15, 22), function(start) ids[start:(start + 12)]))
  tensor <- function(m) torch_tensor(m, dtype = torch_long())
  record_module(Lstm, tensor(windows[, 1:12]), path,
                args = list(nvoc = length(unique(ids)), n_embd = 6, n_hidden = 10, p = 0.3),
                target = tensor(windows[, 2:13]), optimizer = optim_adam, lr = 0.01)
}
