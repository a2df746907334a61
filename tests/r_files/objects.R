# Base R alone: Rscript --vanilla objects.R FOLDER. One list of every kind of object, in every form that R writes.
folder <- commandArgs(TRUE)[1]
path <- function(name) file.path(folder, name)

compiled <- compiler::cmpfun(function(x, Head = 7) { for (i in 1:10) x <- x * i; if (x > 3) "a" else quote(z + b) })
itself <- new.env()
assign("num_heads", 3, itself)
assign("self", itself, itself)
late <- function(x) environment()
latin <- c("a", NA, "\u00e7", "\xe7")
Encoding(latin[4]) <- "latin1"

objects <- list(
  integers = c(1L, NA, -5L), doubles = c(x = 0.1, y = NaN, z = -Inf), texts = latin, flags = c(TRUE, NA),
  nothing = NULL, raw = as.raw(c(0, 255)), complex = 1 + 2i, factor = factor(c("u", "v", "u")),
  compiled = compiled, itself = itself, call = quote(a + b), unevaluated = expression(x, y + 1),
  frame = data.frame(p = 1:2, q = c("r", "s")), sequence = 1:1000, halves = seq(0.5, 2, by = 0.5),
  written = as.character(1:3), formula = y ~ x, builtin = sum, global = globalenv(), namespace = asNamespace("stats"),
  pairs = pairlist(a = 1, 2), matrix = matrix(1:6 / 4, 2), sorted = sort(c(3.5, 1)), S4 = getClass("numeric"),
  promise = late(1 + 1))

saveRDS(objects, path("objects.rds"))
saveRDS(objects, path("bzip2.rds"), compress = "bzip2")
saveRDS(objects, path("xz.rds"), compress = "xz")
saveRDS(objects, path("plain.rds"), compress = FALSE)
saveRDS(objects, path("version_2.rds"), version = 2)
saveRDS(objects, path("ascii.rds"), ascii = TRUE)
for (form in list(list("hexadecimal.rds", ascii = NA), list("native.rds", xdr = FALSE))) {
  connection <- file(path(form[[1]]), "wb")
  do.call(serialize, c(list(objects, connection), form[-1]))
  close(connection)
}
other <- list(1)
save(other, objects, file = path("workspace.RData"))
save(other, objects, file = path("workspace_ascii.RData"), ascii = TRUE)

# Numbers of every size, and the same bytes as they are.
set.seed(1)
numbers <- c(rnorm(500) * 10^sample(-300:300, 500, TRUE), 0, -0, .Machine$double.xmin / 4)
saveRDS(numbers, path("numbers.rds"))
connection <- file(path("hexadecimal_numbers.rds"), "wb")
serialize(numbers, connection, ascii = NA)
close(connection)
writeBin(numbers, path("numbers.bin"), endian = "little")
