# What `parity doctor` asks R: a line a fact, its name and its value with a tab between.
fact <- function(name, value) cat(name, "\t", paste(value, collapse = " "), "\n", sep = "")

software <- extSoftVersion()
fact("version", R.version.string)
fact("home", R.home())
fact("locale", Sys.getlocale("LC_COLLATE"))
fact("order", paste(sort(c("b", "A", "a", "B")), collapse = ""))
fact("icu", if (capabilities("ICU")) software[["ICU"]] else "")
fact("blas", software[["BLAS"]])
fact("lapack", La_version())
fact("cores", parallel::detectCores())

for (package in c("torch", "luz", "safetensors")) {
  if (nzchar(system.file(package = package))) fact(package, utils::packageDescription(package)$Version)
}
if (nzchar(system.file(package = "torch"))) tryCatch({
  if (torch::torch_is_installed()) {
    # libtorch's own file, which R torch installs with it
    version <- file.path(torch::torch_install_path(), "build-version")
    fact("libtorch", if (file.exists(version)) readLines(version, warn = FALSE) else "version unknown")
    fact("threads", torch::torch_get_num_threads())
  }
}, error = function(error) fact("torch_error", gsub("[\t\n]+", " ", conditionMessage(error))))
