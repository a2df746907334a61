# The course's training with luz (exercises 2 and 3). Needs loss.R.

#' The course's settings, as both exercises give them.
#'
#' @return list(block_size, n_embd, N_Layers, Head, lr, batch_size, epochs, p0). block_size counts ids, batch_size
#'   windows; p0 is the share that dropout drops.
#' @source exercises 2 and 3.
#' @export
course_config <- function() {
  list(block_size = 64, n_embd = 128, N_Layers = 2, Head = 2, lr = 0.001, batch_size = 64, epochs = 3, p0 = 0.2)
}

#' A module generator made ready for luz. The course writes this with magrittr's pipe.
#'
#' @param generator what gpt_module() or gpt_noattn_module() returns.
#' @param config what course_config() returns.
#' @param nvoc the vocabulary's size with PAD.
#' @return what luz's fit() takes.
#' @source exercises 2 and 3.
#' @export
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

#' Train with luz.
#'
#' @param model_setup what set_up_model() returns.
#' @param dataloaders what make_dataloaders() returns.
#' @param config what course_config() returns; epochs is used.
#' @param seed torch's seed, set just before fit(), which builds the model: initial weights, batches and dropout all
#'   follow from it. NULL sets none: the course itself sets R's seed alone, which torch does not use.
#' @param callbacks luz's callbacks, called after the course's gradient clip.
#' @param verbose whether luz reports each epoch.
#' @param max_norm the norm to which gradients are clipped.
#' @return luz's fitted object.
#' @source exercises 2 and 3.
#' @export
fit_model <- function(model_setup, dataloaders, config, seed = NULL, callbacks = list(), verbose = TRUE,
                      max_norm = 1.0) {
  if (!is.null(seed)) torch::torch_manual_seed(seed)
  luz::fit(
    model_setup,
    dataloaders$train,
    epochs = config$epochs,
    valid_data = dataloaders$valid,
    accelerator = luz::accelerator(),
    callbacks = c(list(luz::luz_callback_gradient_clip(max_norm = max_norm)), callbacks),
    verbose = verbose
  )
}

#' A callback that keeps every training step's loss. Not the course's: it only looks.
#'
#' @param store an environment; `losses` in it becomes a vector with a number, in nats, for each step.
#' @return a luz callback.
#' @export
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

#' luz's losses of each epoch.
#'
#' @param fitted what fit_model() returns.
#' @return data.frame(epoch, train, valid), losses in nats.
#' @export
loss_history <- function(fitted) {
  history <- fitted$records$metrics
  data.frame(epoch = seq_along(history$train),
             train = unlist(lapply(history$train, function(x) x$loss)),
             valid = unlist(lapply(history$valid, function(x) x$loss)))
}
