# tiny_*.safetensors: a small model's every tensor, one step, 20 steps, and generated ids.
# The order of the calls is the recordings': each draws from torch's one generator.

#' The small model's settings.
tiny_settings <- function() list(block_size = 8, n_embd = 16, N_Layers = 2, Head = 2, nvoc = 11, p0 = 0.2)

#' What is done with it, for the file's metadata.
tiny_run <- function() {
  list(build_seed = 42, train_seed = 7, train_steps = 20, lr = 0.001, max_norm = 1.0,
       generate_seed = 123, temperature = 0.8, new_tokens = 40)
}

#' Three windows of ids, (3, 8), one a row. One begins with PAD, and id 2 stands in each.
tiny_batch <- function() {
  windows <- rbind(c(1, 2, 3, 6, 7, 10, 10, 6, 10), c(5, 2, 4, 6, 11, 6, 10, 3, 2), c(8, 8, 2, 11, 8, 6, 6, 11, 5))
  ids <- function(m) torch::torch_tensor(m, dtype = torch::torch_long())
  list(x = ids(windows[, 1:8]), y = ids(windows[, 2:9]))
}

#' Record a small model's every tensor.
#'
#' @param model list(name, generator).
#' @param path the file.
#' @param provenance what make_provenance() returns.
#' @return nothing.
#' @source exercises 2 and 3, with small settings.
#' @export
record_tiny <- function(model, path, provenance) {
  settings <- tiny_settings()
  run <- tiny_run()
  batch <- tiny_batch()
  loss_function <- nn_cross_entropy_wrapper()()
  torch::torch_manual_seed(run$build_seed)
  net <- do.call(model$generator, settings)
  init <- weight_copies(net, "init.")
  net$eval()
  tensors <- c(init, batch, torch::with_no_grad(tiny_activations(net, batch$x)))
  tensors <- c(tensors, tiny_step(net, batch, loss_function, run))

  net$load_state_dict(setNames(init, sub("^init\\.", "", names(init))))
  tensors <- c(tensors, tiny_training(net, batch, loss_function, run))

  net$eval()
  torch::torch_manual_seed(run$generate_seed)
  prompt <- batch$x[2, 1:3]$unsqueeze(1)
  tensors$generated <- generate_ids(net, prompt, run$new_tokens, run$temperature, settings$block_size)
  save_recording(tensors, path, "model", model$name, settings, run, provenance)
}

#' Every intermediate of the models' forward(), whose calls these are. net in eval mode, x (3, 8).
#' attn_weights (batch, head, query, key) come from a second call that asks for them.
tiny_activations <- function(net, x) {
  k <- x$size(2)
  act <- list()
  x1 <- torch::torch_arange(1, k, dtype = torch::torch_int())$unsqueeze(1)
  output <- net$wte(x) + net$wpe(x1)
  act$act.embedding <- output
  for (j in 1:net$N) {
    name <- function(what) sprintf("act.block%d.%s", j, what)
    if (!is.null(net$MH)) {
      output_norm <- net$scale1[[j]](output)
      Q <- torch::torch_transpose(output_norm, 1, 2)
      mha <- net$MH[[j]](query = Q, key = Q, value = Q, attn_mask = future_mask(k, x$device), avg_weights = FALSE)
      mha_out <- torch::torch_transpose(mha[[1]], 1, 2)
      act[c(name("scale1"), name("attn_weights"), name("attn"))] <- list(output_norm, mha[[2]], mha_out)
      output <- output + mha_out
    }
    scaled <- net$scale2[[j]](output)
    ffn_out <- net$FFN[[j]](scaled)
    output <- output + ffn_out
    act[c(name("scale2"), name("ffn"), name("output"))] <- list(scaled, ffn_out, output)
  }
  act$act.scale3 <- net$scale3(output)
  act$act.logits <- net$ln_f(act$act.scale3)
  act
}

#' Loss, gradients, their norm, and the weights after one step: clip, then AdamW. net in eval mode.
tiny_step <- function(net, batch, loss_function, run) {
  optimizer <- torch::optim_adamw(net$parameters, lr = run$lr)
  loss <- loss_function(net(batch$x), batch$y)
  loss$backward()
  gradients <- lapply(net$parameters, function(parameter) parameter$grad$clone())
  norm <- torch::nn_utils_clip_grad_norm_(net$parameters, max_norm = run$max_norm)
  optimizer$step()
  c(list(loss = loss), setNames(gradients, paste0("grad.", names(gradients))), list(grad_norm = norm),
    weight_copies(net, "step1."))
}

#' Steps on the same batch with dropout and clipping: the first loss, all losses, the last weights.
tiny_training <- function(net, batch, loss_function, run) {
  optimizer <- torch::optim_adamw(net$parameters, lr = run$lr)
  net$train()
  torch::torch_manual_seed(run$train_seed)
  losses <- numeric(run$train_steps)
  for (step in seq_len(run$train_steps)) {
    optimizer$zero_grad()
    loss <- loss_function(net(batch$x), batch$y)
    loss$backward()
    torch::nn_utils_clip_grad_norm_(net$parameters, max_norm = run$max_norm)
    optimizer$step()
    losses[step] <- loss$item()
  }
  c(list(train_loss1 = torch::torch_tensor(losses[1], dtype = torch::torch_float()),
         losses = torch::torch_tensor(losses, dtype = torch::torch_float64())),
    weight_copies(net, paste0("step", run$train_steps, ".")))
}
