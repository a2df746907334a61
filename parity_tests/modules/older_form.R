# older_form.safetensors, made by R torch: Rscript older_form.R FILE
# A small classifier in the older form of a module's recording, with two optimizers.

library(torch)

net_module <- nn_module("Net", initialize = function() {
  self$a <- nn_linear(4, 5)
  self$bn <- nn_batch_norm1d(5)
  self$b <- nn_linear(5, 3)
}, forward = function(x) self$b(torch_tanh(self$bn(self$a(x)))))

copies <- function(net, prefix) {
  state <- lapply(net$state_dict(), function(t) if (length(t$shape) == 0) t$reshape(1)$clone() else t$clone())
  stats::setNames(state, paste0(prefix, names(state)))
}

main <- function(path) {
  torch_set_num_threads(1)
  torch_manual_seed(1)
  x <- torch_randn(7, 4)
  y <- torch_tensor(c(1, 2, 3, 1, 2, 3, 1), dtype = torch_long())
  torch_manual_seed(42)
  net <- net_module()
  init <- copies(net, "init.")
  net$eval()
  output <- net(x)
  loss <- nnf_cross_entropy(output, y)
  loss$backward()
  gradients <- lapply(net$parameters, function(p) p$grad$clone())
  tensors <- c(init, list(x = x, y = y, output_eval = output$detach(), loss_eval = loss$detach()$reshape(1)),
               stats::setNames(gradients, paste0("grad.", names(gradients))))
  optimizers <- list(adam = function(p) optim_adam(p, lr = 0.01),
                     sgd_momentum = function(p) optim_sgd(p, lr = 0.05, momentum = 0.9, weight_decay = 0.01))
  for (label in names(optimizers)) {
    net$load_state_dict(stats::setNames(init, sub("^init[.]", "", names(init))))
    optimizer <- optimizers[[label]](net$parameters)
    net$train()
    torch_manual_seed(7)
    losses <- numeric(4)
    for (step in 1:4) {
      optimizer$zero_grad()
      loss <- nnf_cross_entropy(net(x), y)
      loss$backward()
      optimizer$step()
      losses[step] <- loss$item()
      if (step %in% c(1, 4)) tensors <- c(tensors, copies(net, paste0("step", step, ".", label, ".")))
    }
    tensors[[paste0("losses.", label)]] <- torch_tensor(losses, dtype = torch_float64())
  }
  metadata <- list(recording = "module", model = "older_form", build_seed = "42", train_seed = "7", train_steps = "4",
                   threads = "1", r = as.character(getRversion()), torch = as.character(packageVersion("torch")),
                   optimizers = "adam lr .01; sgd_momentum lr .05 momentum .9 weight_decay .01; the rest R torch's defaults")
  safetensors::safe_save_file(lapply(tensors, function(t) t$contiguous()), path, metadata = metadata)
}

main(commandArgs(TRUE)[1])
