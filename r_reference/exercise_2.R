# Exercise 2 of the course on R torch and luz: GPT, with attention.
# Rscript exercise_2.R --corpus FILE --out DIR [--seed N] [--epochs N]

main <- function() {
  run_exercise(list(number = 2L, name = "GPT", generator = gpt_module, figure = analise_resultados_base_r,
                    heading = "\n--- Gerando texto inspirado em Shakespeare (Start: '%s') ---\n", new_tokens = 2000))
}

if (sys.nframe() == 0L) {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
  source(file.path(dirname(gsub("~+~", " ", script, fixed = TRUE)), "bootstrap.R"), encoding = "UTF-8")
  source_here("arguments.R", "json.R", "course", "run_exercise.R")
  main()
}
