# Record a small training and texts by GPT4R's own code (github.com/AGPatriota/GPT4R, MIT), which is sourced unchanged:
#   Rscript record.R FOLDER_OF_GPT4R gpt4r.safetensors
# Needs torch, luz and safetensors. The tokens are those of recordings/stream_*; sizes are small, all else is GPT4R's.

given <- commandArgs(TRUE)
out <- file.path(normalizePath(dirname(given[2])), basename(given[2]))
setwd(given[1])
suppressPackageStartupMessages({
  library(torch)
  library(luz)
})
torch_set_num_threads(1)
source("config.R")
for (file in c("GPT.R", "Generators.R", "aux.R")) source(file.path("R", file))
Voc <- c("<PAD>", rep("x", 65)) # what Generate() prints as it goes
sizes <- list(block_size = 8, n_embd = 12, N_Layers = 2, nvoc = 66, Head = 2, p0 = config$p0)
run <- list(stream = list(a = 7919, b = 10007, c = 65), tokens = 140004, epochs = 2, seed = 42, sample_seed = 1,
            generate_seed = 123, prompt_tokens = 5, new_tokens = 60)

tokens <- 2 + ((seq_len(run$tokens) * run$stream$a) %% run$stream$b) %% run$stream$c
data <- train_test_split(config$split_prop, tokens, data_GPT, sizes$block_size, seed = run$sample_seed)
losses <- numeric(0)
keep_losses <- luz_callback("keep_losses", on_train_batch_end = function() {
  losses[length(losses) + 1] <<- ctx$loss[[1]]$item()
})
torch_manual_seed(run$seed)
model <- luz::setup(GPT, loss = nn_cross_entropy_loss_0(), optimizer = optim_adam)
model <- luz::set_opt_hparams(do.call(luz::set_hparams, c(list(model), sizes)), lr = config$lr)
fitted <- luz::fit(model, data$train, epochs = run$epochs, valid_data = data$test,
                   dataloader_options = list(batch_size = config$batch_size, num_workers = 0, shuffle = FALSE),
                   callbacks = list(luz_callback_gradient_clip(max_norm = 1, norm_type = 2), keep_losses()))

single <- function(x) torch_tensor(unlist(x), dtype = torch_float())
metrics <- fitted$records$metrics
tensors <- list(step_losses = single(losses), train_loss = single(lapply(metrics$train, function(m) m$loss)),
                valid_loss = single(lapply(metrics$valid, function(m) m$loss)))
weights <- fitted$model$state_dict()
for (name in names(weights)) tensors[[paste0("final.", name)]] <- weights[[name]]$clone()
for (rule in c("generated", "generated_greedy")) {
  torch_manual_seed(run$generate_seed)
  top_k <- if (rule == "generated") config$top_k
  ids <- Generate(tokens[seq_len(run$prompt_tokens)], fitted$model, sizes$block_size, run$new_tokens,
                  config$temperature, top_k, "cpu")
  tensors[[rule]] <- torch_tensor(as.integer(ids))
}
metadata <- list(recording = "gpt4r", torch = as.character(packageVersion("torch")), threads = "1",
                 luz = as.character(packageVersion("luz")), r = as.character(getRversion()))
safetensors::safe_save_file(tensors, out, metadata = metadata)
