# Writes what is in files/: Rscript make.R FOLDER. Needs torch, luz and safetensors.
# A tiny GPT with four heads is trained by luz on text.txt, with the course's own functions, and saved in every way.

folder <- commandArgs(TRUE)[1]
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
here <- dirname(normalizePath(script))
source(file.path(here, "..", "..", "r_reference", "bootstrap.R"), encoding = "UTF-8")
source_here("arguments.R", "json.R", "course", "run_exercise.R")
library(torch)
torch_set_num_threads(1)

text <- read_corpus(file.path(here, "text.txt"))
vocab <- build_vocabulary(text)
config <- list(block_size = 6, n_embd = 8, N_Layers = 1, Head = 4, lr = 0.01, batch_size = 32, epochs = 2, p0 = 0.1)
tokens <- Encoder(unlist(strsplit(text, "")), vocab)
last <- floor(0.9 * length(tokens))
loaders <- make_dataloaders(tokens[1:last], tokens[-(1:last)], config)
path <- function(name) file.path(folder, name)

fitted <- fit_model(set_up_model(gpt_module(), config, length(vocab)), loaders, config, 42,
                    list(luz::luz_callback_model_checkpoint(path("checkpoint-{epoch}.pt"))))
# Right after the training, as exercise_2.R does: nothing is seeded in between.
after <- Generate_Text_Base(fitted, "to ", vocab, config$block_size, "", 300)
cat(after, file = path("text_after_training.txt"))
model <- fitted$model
torch_manual_seed(123)
cat(Generate_Text_Base(fitted, "to ", vocab, config$block_size, "", 100), file = path("text_of_seed_123.txt"))

state <- model$state_dict()
torch_save(model, path("module.pt"))
torch_save(state, path("state_dict.pt"))
torch_save(list(epoch = 2, best = list(weights = state)), path("list.pt"))
luz::luz_save(fitted, path("luz_save.rds"))
safetensors::safe_save_file(state, path("safe_save_file.safetensors"))
save_fitted_weights(fitted, "GPT", config, vocab, 42, path("exercise.safetensors"))
saveRDS(lapply(state, as.array), path("arrays.rds"))
saveRDS(lapply(state, function(x) { a <- as.array(x); if (length(dim(a)) == 2) t(a) else a }), path("transposed.rds"))
saveRDS(lapply(state, as.numeric), path("flat.rds"))
saveRDS(lapply(state, torch_serialize), path("each_serialized.rds"))
saveRDS(vocab, path("vocab.rds"))
saveRDS(state, path("pointers.rds"))
torch_save(lapply(state, function(x) x$to(dtype = torch_half())), path("float16.pt"))
torch_save(lapply(state, function(x) x$to(dtype = torch_double())), path("float64.pt"))
torch_save(list(first = state, second = lapply(state, function(x) x + 1)), path("several.pt"))
for (version in 1:2) {
  options(torch.serialization_version = version)
  torch_save(state, path(sprintf("state_dict_v%d.pt", version)))
}
# safetensors of R 0.2.1 cannot write it in format 3
torch_save(lapply(state, function(x) x$to(dtype = torch_bfloat16())), path("bfloat16_v2.pt"))
torch_save(model, path("module_v2.pt"))

# Smaller, the same objects.
for (name in c("luz_save.rds", "module_v2.pt")) saveRDS(readRDS(path(name)), path(name), compress = "xz")

metrics <- luz::get_metrics(fitted)
records <- fitted$records
saveRDS(metrics, path("get_metrics.rds"))
saveRDS(records$metrics, path("records_metrics.rds"))
save(metrics, vocab, file = path("workspace.RData"))
weights <- lapply(state, as.array)
save(weights, metrics, vocab, file = path("everything.RData"))
write.csv(metrics, path("get_metrics.csv"), row.names = FALSE)
