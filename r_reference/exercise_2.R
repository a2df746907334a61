# Exercise 2 of the course on R torch and luz: GPT, with attention.
# Rscript exercise_2.R --corpus FILE --out DIR [--seed N] [--epochs N]

here <- dirname(gsub("~+~", " ", sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)), fixed = TRUE))
for (file in c("arguments.R", "json.R", "course/course.R", "run_exercise.R")) source(file.path(here, file), encoding = "UTF-8")
source_course(file.path(here, "course"))

run_exercise(list(number = 2L, name = "GPT", generator = gpt_module, figure = analise_resultados_base_r,
                  heading = "\n--- Gerando texto inspirado em Shakespeare (Start: '%s') ---\n", new_tokens = 2000))
