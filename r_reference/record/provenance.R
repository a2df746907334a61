# Where a recording comes from: versions, locale, threads, processor, day.

#' Where a recording is made, for its metadata.
#'
#' @param kernel_fingerprint what PyTorch gave on the same machine (R torch cannot make it: its layers draw in another
#'   order), or NULL to leave it out.
#' @return a named list.
#' @export
make_provenance <- function(kernel_fingerprint = NULL) {
  version <- function(package) as.character(utils::packageVersion(package))
  c(list(r = as.character(getRversion()), torch = version("torch"), libtorch = libtorch_version(), luz = version("luz"),
         safetensors = version("safetensors"), locale = Sys.getlocale("LC_COLLATE"),
         threads = torch::torch_get_num_threads(), cpu = cpu_name(), cpu_capability = cpu_capability()),
    if (!is.null(kernel_fingerprint)) list(kernel_fingerprint = kernel_fingerprint),
    list(recorded = format(Sys.Date())))
}

#' The libtorch that R torch is built for: an internal constant, so "unknown" where it has moved.
libtorch_version <- function() {
  version <- get0("torch_version", envir = asNamespace("torch"), inherits = FALSE)
  if (is.character(version)) version else "unknown"
}

#' The fields of the first processor in /proc/cpuinfo; none: an empty vector.
cpu_fields <- function(path = "/proc/cpuinfo") {
  lines <- if (file.exists(path)) readLines(path) else character(0)
  lines <- lines[seq_len(match("", lines, nomatch = length(lines) + 1) - 1)]
  setNames(trimws(sub("^[^:]*:", "", lines)), trimws(sub(":.*", "", lines)))
}

#' For example "AMD EPYC (family 25, model 17)".
cpu_name <- function(fields = cpu_fields()) {
  if (is.na(fields["model name"])) return("unknown")
  sprintf("%s (family %s, model %s)", fields["model name"], fields["cpu family"], fields["model"])
}

#' What libtorch's kernels go by: AVX512, AVX2 or DEFAULT, from the processor's flags.
#' The five parts of AVX-512 are those that ATen asks for.
cpu_capability <- function(fields = cpu_fields()) {
  flags <- strsplit(paste("", fields["flags"]), " +")[[1]]
  if (all(c("avx512f", "avx512vl", "avx512bw", "avx512dq", "fma") %in% flags)) return("AVX512")
  if (all(c("avx2", "fma") %in% flags)) "AVX2" else "DEFAULT"
}
