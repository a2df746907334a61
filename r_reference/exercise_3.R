# Exercise 3 of the course on R torch and luz: the model without attention.
# Rscript exercise_3.R --corpus FILE --out DIR [--seed N] [--epochs N]

main <- function() {
  run_exercise(list(number = 3L, name = "GPT_NoAttn", generator = gpt_noattn_module, figure = analise_comparativa,
                    heading = "\n--- Gerando texto (SEM ATEN\u00c7\u00c3O) - Seed: '%s' ---\n", new_tokens = 1000))
}

if (sys.nframe() == 0L) {
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
  source(file.path(dirname(gsub("~+~", " ", script, fixed = TRUE)), "bootstrap.R"), encoding = "UTF-8")
  source_here("arguments.R", "json.R", "course", "run_exercise.R")
  main()
}
