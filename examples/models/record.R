# Record the examples on R torch: Rscript record.R FOLDER. Without R torch it says so and does nothing.

main <- function(folder) {
  missing <- Filter(function(package) !requireNamespace(package, quietly = TRUE), c("torch", "safetensors"))
  if (length(missing) > 0) {
    return(message("nothing is recorded: R has no ", paste(missing, collapse = ", "),
                   ". Install: install.packages(c(\"torch\", \"safetensors\")); torch::install_torch()"))
  }
  if (!torch::torch_is_installed()) {
    return(message("nothing is recorded: R's torch has no libtorch. Install it: torch::install_torch()"))
  }
  here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1]))
  torch::torch_set_num_threads(1)
  dir.create(folder, recursive = TRUE, showWarnings = FALSE)
  for (name in c("mlp", "cnn", "lstm", "gpt", "autoencoder")) {
    example <- new.env()
    source(file.path(here, "..", "..", "r_reference", "record_module.R"), local = example)
    suppressPackageStartupMessages(source(file.path(here, paste0(name, ".R")), local = example))
    example$record(file.path(folder, paste0(name, ".safetensors")))
  }
}

main(commandArgs(TRUE)[1])
