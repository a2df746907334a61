# Make the recordings anew from R torch: what R torch and luz compute, written down.
# Rscript record.R --out DIR [--model NAME] [--corpus FILE] [--threads N] [--kernel-fingerprint TEXT]
# The synthetic ones take a minute or two; shakespeare_* (two whole trainings) take hours and are made,
# with vocabulary.json, only where --corpus is given.

#' The two models, under the names that the recordings' files and metadata give them.
recorded_models <- function() {
  list(gpt = list(name = "GPT", generator = gpt_module()),
       gpt_noattn = list(name = "GPT_NoAttn", generator = gpt_noattn_module()))
}

#' The text of --model: gpt or gpt_noattn; anything else stops.
read_model <- function(text) {
  if (!text %in% c("gpt", "gpt_noattn")) stop("must be gpt or gpt_noattn")
  text
}

#' An R torch state_dict as copies of their own: the weights go on changing.
weight_copies <- function(model, prefix) {
  copies <- lapply(model$state_dict(), function(tensor) tensor$detach()$clone())
  setNames(copies, paste0(prefix, names(copies)))
}

#' Write one recording.
#'
#' @param tensors torch tensors by name; a scalar becomes a vector of length 1.
#' @param path the file.
#' @param kind,model what its metadata call it: "model" or "training", and the model's name.
#' @param settings,run,provenance lists for its metadata: the model's settings, what was done with it, and where.
#' @return nothing.
#' @source the README of parity_tests/recordings.
#' @export
save_recording <- function(tensors, path, kind, model, settings, run, provenance) {
  flat <- lapply(tensors, function(tensor) {
    tensor <- tensor$detach()$cpu()
    if (length(tensor$shape) == 0) tensor$reshape(1) else tensor$contiguous()
  })
  metadata <- list(recording = kind, model = model, model_settings = to_json(settings),
                   run = to_json(run), provenance = to_json(provenance))
  safetensors::safe_save_file(flat, path, metadata = metadata)
  message("wrote ", path)
}

main <- function() {
  values <- read_options("Record what the course's code computes on R torch and luz.", list(
    option("out", "DIR", "folder for the recordings", read_folder, required = TRUE),
    option("model", "NAME", "gpt or gpt_noattn; without it both", read_model),
    option("corpus", "FILE", "Shakespeare.txt; without it no shakespeare_* and no vocabulary.json", read_file_name),
    option("threads", "N", "threads of torch", read_whole(1, 1024), 1L),
    option("kernel-fingerprint", "TEXT", "what PyTorch gave on this machine, see the recordings' README", read_text)))
  require_packages()
  # the vocabulary's order follows the locale, and the recordings' is ICU's
  if (!identical(sort(c(",", "-", "B", "a")), c("-", ",", "a", "B"))) {
    refuse("this R does not sort by ICU: it must be built with ICU and run with LC_ALL=C.UTF-8")
  }
  torch::torch_set_num_threads(values$threads)
  dir.create(values$out, recursive = TRUE, showWarnings = FALSE)
  provenance <- make_provenance(values[["kernel-fingerprint"]])
  models <- recorded_models()
  if (!is.null(values[["model"]])) models <- models[values[["model"]]]
  for (label in names(models)) {
    at <- function(format) file.path(values$out, sprintf(format, label))
    record_tiny(models[[label]], at("tiny_%s.safetensors"), provenance)
    record_stream(models[[label]], at("stream_%s.safetensors"), provenance)
  }
  if (is.null(values$corpus)) return(message("no --corpus: shakespeare_* and vocabulary.json were not made"))
  record_vocabulary(values$corpus, file.path(values$out, "vocabulary.json"))
  for (label in names(models)) {
    record_shakespeare(models[[label]], values$corpus, file.path(values$out, sub("gpt_noattn", "noattn", label)))
  }
}

if (sys.nframe() == 0L) {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
  source(file.path(dirname(gsub("~+~", " ", script, fixed = TRUE)), "bootstrap.R"), encoding = "UTF-8")
  source_here("arguments.R", "json.R", "course", "record")
  main()
}
