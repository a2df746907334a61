# The course's training with luz (exercises 2 and 3). Needs loss.R.

#' The course's settings, as both exercises give them.
course_config <- function() {
  list(block_size = 64, n_embd = 128, N_Layers = 2, Head = 2, lr = 0.001, batch_size = 64, epochs = 3, p0 = 0.2)
}

#' A module generator made ready for luz. The course writes this with magrittr's pipe.
set_up_model <- function(generator, config, nvoc) {
  loss <- nn_cross_entropy_wrapper()
  model_setup <- luz::setup(generator, loss = loss(), optimizer = torch::optim_adamw)
  model_setup <- luz::set_hparams(
    model_setup,
    block_size = config$block_size,
    n_embd = config$n_embd,
    N_Layers = config$N_Layers,
    nvoc = nvoc,
    Head = config$Head,
    p0 = config$p0
  )
  luz::set_opt_hparams(model_setup, lr = config$lr)
}

#' Fit, and return luz's fitted object. `callbacks` come after the course's gradient clip.
#' seed: where given, set just before fit(), which builds the model: initial weights, batches and
#' dropout all follow from it. The course itself sets R's seed alone, which torch does not use.
fit_model <- function(model_setup, dataloaders, config, seed = NULL, callbacks = list(), verbose = TRUE) {
  if (!is.null(seed)) torch::torch_manual_seed(seed)
  luz::fit(
    model_setup,
    dataloaders$train,
    epochs = config$epochs,
    valid_data = dataloaders$valid,
    accelerator = luz::accelerator(),
    callbacks = c(list(luz::luz_callback_gradient_clip(max_norm = 1.0)), callbacks),
    verbose = verbose
  )
}

#' A callback that keeps every training step's loss in `store$losses`; store is an environment.
#' Not the course's: it only looks.
step_losses_callback <- function(store) {
  store$losses <- numeric(0)
  callback <- luz::luz_callback(
    "step_losses",
    on_train_batch_end = function() {
      store$losses[length(store$losses) + 1] <- ctx$loss[[1]]$item()
    }
  )
  callback()
}

#' luz's losses an epoch, as data.frame(epoch, train, valid).
loss_history <- function(fitted) {
  history <- fitted$records$metrics
  data.frame(epoch = seq_along(history$train),
             train = unlist(lapply(history$train, function(x) x$loss)),
             valid = unlist(lapply(history$valid, function(x) x$loss)))
}
