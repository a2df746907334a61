# The course's windows and batches (exercise 2; exercise 3 uses them too).

#' All windows of block_size ids, stride 1: x (block_size) int32 and y, x moved on by one id, int64.
#'
#' @return the generator that torch's dataset() makes; it takes tokens, a vector of R ids, and block_size.
#' @source exercise 2, ShakespeareDataset.
#' @export
shakespeare_dataset <- function() {
  torch::dataset(
    name = "ShakespeareDataset",
    initialize = function(tokens, block_size) {
      self$tokens <- tokens
      self$block_size <- block_size
      self$n_samples <- length(tokens) - block_size
    },
    .getitem = function(i) {
      idx_start <- i
      idx_end <- i + self$block_size
      chunk <- self$tokens[idx_start:idx_end]
      x <- torch::torch_tensor(chunk[1:self$block_size], dtype = torch::torch_int())
      y <- torch::torch_tensor(chunk[2:(self$block_size + 1)], dtype = torch::torch_long())
      list(x = x, y = y)
    },
    .length = function() {
      return(self$n_samples)
    }
  )
}

#' Training batches (shuffled) and validation batches (in order).
#'
#' @param train_tokens,test_tokens vectors of R ids; the course validates on its test tokens.
#' @param config what course_config() returns; block_size and batch_size are used.
#' @return list(train, valid) of torch's dataloaders; x and y are (batch, block_size).
#' @source exercises 2 and 3.
#' @export
make_dataloaders <- function(train_tokens, test_tokens, config) {
  ShakespeareDataset <- shakespeare_dataset()
  train_ds <- ShakespeareDataset(train_tokens, config$block_size)
  test_ds <- ShakespeareDataset(test_tokens, config$block_size)
  list(train = torch::dataloader(train_ds, batch_size = config$batch_size, shuffle = TRUE, num_workers = 0),
       valid = torch::dataloader(test_ds, batch_size = config$batch_size, num_workers = 0))
}
