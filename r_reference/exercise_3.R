# Exercise 3 of the course on R torch and luz: the model without attention.
# Rscript exercise_3.R --corpus FILE --out DIR [--seed N] [--epochs N]

here <- dirname(gsub("~+~", " ", sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)), fixed = TRUE))
for (file in c("arguments.R", "json.R", "course/course.R", "run_exercise.R")) source(file.path(here, file), encoding = "UTF-8")
source_course(file.path(here, "course"))

run_exercise(list(number = 3L, name = "GPT_NoAttn", generator = gpt_noattn_module, figure = analise_comparativa,
                  heading = "\n--- Gerando texto (SEM ATEN\u00c7\u00c3O) - Seed: '%s' ---\n", new_tokens = 1000))
