# The course's tables and figures. They draw on the device that is open.
# The PDF broke the letters with a tilde; they are mended. Escapes keep them whole in any locale.

#' Exercise 2: the table of losses and perplexities, and two panels, loss and perplexity of each epoch.
#' The PDF gives this function twice, the same both times.
#'
#' @param fitted_obj luz's fitted object.
#' @return nothing.
#' @source exercise 2.
#' @export
analise_resultados_base_r <- function(fitted_obj) {
  history <- fitted_obj$records$metrics
  epochs <- 1:length(history$train) # nolint: seq_linter. The course's line.
  loss_train <- unlist(lapply(history$train, function(x) x$loss))
  loss_valid <- unlist(lapply(history$valid, function(x) x$loss))
  # PP(x) = exp(Entropy(x))
  ppl_train <- exp(loss_train)
  ppl_valid <- exp(loss_valid)
  df_metrics <- data.frame(
    Epoca = epochs,
    Loss_Treino = round(loss_train, 4),
    Loss_Valid = round(loss_valid, 4),
    PPL_Treino = round(ppl_train, 2),
    PPL_Valid = round(ppl_valid, 2)
  )
  print(df_metrics, row.names = FALSE)

  par(mfrow = c(1, 2), mar = c(5, 4, 4, 2) + 0.1)
  y_range_loss <- range(c(loss_train, loss_valid))
  plot(epochs, loss_train, type = "o", pch = 16, col = "blue", lwd = 2,
       ylim = y_range_loss, xlab = "\u00c9pocas", ylab = "Loss (Cross-Entropy)",
       main = "Fun\u00e7\u00e3o de Perda")
  lines(epochs, loss_valid, type = "o", pch = 18, col = "red", lwd = 2, lty = 2)
  grid()
  legend("topright", legend = c("Treino", "Valida\u00e7\u00e3o"),
         col = c("blue", "red"), pch = c(16, 18), lty = c(1, 2), bty = "n", cex = 0.8)
  y_range_ppl <- range(c(ppl_train, ppl_valid))
  plot(epochs, ppl_train, type = "o", pch = 16, col = "darkgreen", lwd = 2,
       ylim = y_range_ppl, xlab = "\u00c9pocas", ylab = "Perplexidade",
       main = "Perplexidade")
  lines(epochs, ppl_valid, type = "o", pch = 18, col = "orange", lwd = 2, lty = 2)
  grid()
  legend("topright", legend = c("Treino", "Valida\u00e7\u00e3o"),
         col = c("darkgreen", "orange"), pch = c(16, 18), lty = c(1, 2), bty = "n", cex = 0.8)
  par(mfrow = c(1, 1))
}

#' Exercise 3: the last validation loss and its perplexity, and one panel of losses.
#'
#' @param fitted_obj luz's fitted object.
#' @return nothing.
#' @source exercise 3.
#' @export
analise_comparativa <- function(fitted_obj) {
  history <- fitted_obj$records$metrics
  loss_train <- unlist(lapply(history$train, function(x) x$loss))
  loss_valid <- unlist(lapply(history$valid, function(x) x$loss))
  ppl_valid <- exp(loss_valid)
  cat(sprintf("Loss Final (Valida\u00e7\u00e3o): %.4f\n", tail(loss_valid, 1)))
  cat(sprintf("Perplexidade Final: %.2f\n", tail(ppl_valid, 1)))

  plot(loss_train, type = "l", col = "blue", ylim = range(c(loss_train, loss_valid)),
       main = "Loss: Modelo Sem Aten\u00e7\u00e3o", ylab = "Cross Entropy", xlab = "\u00c9poca")
  lines(loss_valid, col = "red", lty = 2)
  legend("topright", c("Treino", "Valida\u00e7\u00e3o"), col = c("blue", "red"), lty = 1:2)
}
