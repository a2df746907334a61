# record_module.R on a stub of torch in base R: what is recorded in which order, what is put back, what is refused.
# That the numbers are torch's is seen where torch is (parity_tests/test_modules.py).

double_module <- stub_module("Twice", function(by = 2) {
  self$by <- by
  self$weight <- stub_tensor(c(1, 2), trained = TRUE)
}, function(x) stub_tensor(x$values * self$by))

net_module <- stub_module("Net", function(by = 2) {
  self$first <- double_module(by)
  self$again <- self$first
  self$last <- double_module(10)
}, function(x, note = "") self$last(self$again(self$first(x))))

x <- stub_tensor(c(0.5, 1.5))
quietly <- function(...) suppressMessages(record_with_stub()$record(...))
target_file <- function() tempfile(fileext = ".safetensors")

test_that("each submodule's call is recorded in its order, a shared one under its first name", {
  stub <- record_with_stub()
  path <- target_file()
  expect_message(stub$record(net_module, list(x, note = "a \"b\""), path, args = list(by = 3), steps = 2), "wrote")
  tensors <- stub$written$tensors
  expect_identical(tensors[["act.first"]]$values, c(1.5, 4.5))
  expect_identical(tensors[["act.first#2"]]$values, c(4.5, 13.5))
  expect_identical(tensors[["act.last"]]$values, c(45, 135))
  expect_identical(tensors[["output"]]$values, c(45, 135))
  expect_identical(tensors[["loss"]]$values, mean(c(45, 135)^2))
  expect_identical(tensors[["grad.last.weight"]]$values, array(1, 2))
  # the stub's optimizer takes lr from each weight
  expect_equal(tensors[["step1.first.weight"]]$values, c(1, 2) - 0.001)
  expect_equal(tensors[["step2.first.weight"]]$values, c(1, 2) - 0.002)
  expect_length(tensors[["losses"]]$values, 2)
  metadata <- lapply(stub$written$metadata, identity)
  expect_identical(metadata$model, "Net")
  expect_identical(metadata$args, "{\"by\": 3}")
  expect_identical(metadata$threads, "3")
  calls <- from_json(metadata$calls)
  expect_identical(vapply(calls, function(call) call$name, ""), c("first", "first#2", "last"))
  # an input that is an earlier output is named, not kept twice
  expect_identical(calls[[2]]$inputs[[1]]$tensor, "act.first")
  expect_false(any(startsWith(names(tensors), "in.")))
  expect_identical(from_json(metadata$inputs)[[2]], list(name = "note", value = "a \"b\""))
  expect_identical(stub$written$seeds, c(42, 42, 7))
  expect_identical(stub$written$state, "state")
  expect_true(file.exists(path))
})

test_that("a module that is there already is as before afterwards, also after an error", {
  for (fails in c(FALSE, TRUE)) {
    net <- net_module()
    inner <- attr(net, "module")$.__enclos_env__$private$modules_
    weights <- lapply(net$parameters, function(p) p$values)
    input <- if (fails) stub_tensor("text") else x
    done <- try(quietly(net, input, target_file(), steps = 3), silent = TRUE)
    expect_identical(inherits(done, "try-error"), fails)
    expect_identical(attr(net, "module")$.__enclos_env__$private$modules_, inner)
    own <- attr(inner$first, "module")
    expect_identical(own$forward, get("forward", envir = own))
    expect_identical(body(own$forward), quote(stub_tensor(x$values * self$by)))
    expect_true(bindingIsLocked("forward", own))
    expect_identical(lapply(net$parameters, function(p) p$values), weights)
    expect_true(own$training)
  }
})

test_that("what cannot be recorded is refused in words", {
  returns <- function(value) stub_module("Odd", function() NULL, eval(bquote(function(x) .(value))))
  expect_error(quietly(returns(quote(list(x, "text"))), x, target_file()), "forward() returns a character (output[2])",
               fixed = TRUE)
  expect_error(quietly(returns(quote(stub_tensor(NaN))), x, target_file()), "output holds NaN")
  expect_error(quietly(mean, x, target_file()), "must be what nn_module() returns", fixed = TRUE)
  expect_error(quietly(net_module, matrix(1), target_file()), "inputs: number 1 is a matrix; give torch_tensor(x)",
               fixed = TRUE)
  expect_error(quietly(net_module, x, target_file(), args = list(3)), "args must have names")
  expect_error(quietly(net_module, x, target_file(), target = 1), "target must be a tensor")
  expect_error(quietly(net_module, x, target_file(), steps = -1), "steps must be")
  expect_error(quietly(net_module, x, target_file(), loss = function(y, t) y), "a tensor of one number")
  expect_error(quietly(net_module, x, target_file(), optimizer = function(p, lr) 1), "one of torch's optimizers")
  expect_error(quietly(net_module, x, file.path(tempfile(), "x")), "there is no folder")
  withr_options <- options(record_module.most_bytes = 20)
  on.exit(options(withr_options))
  expect_error(quietly(net_module, x, target_file()), "has more than 20 bytes. Give a smaller batch")
})

test_that("ids are told from other whole numbers, classes from other targets", {
  ids <- function(input, target = NULL) {
    stub <- record_with_stub()
    suppressMessages(stub$record(net_module, input, target_file(), target = target, steps = 0))
    stub$written$metadata
  }
  expect_true(from_json(ids(stub_tensor(c(1, 2), whole = TRUE))$inputs)[[1]]$ids)
  expect_false(from_json(ids(stub_tensor(c(0, 2), whole = TRUE))$inputs)[[1]]$ids)
  expect_false(from_json(ids(x)$inputs)[[1]]$ids)
  expect_identical(ids(x, target = x)$loss, "nnf_mse_loss")
  expect_false(from_json(ids(x, target = x)$target)$ids)
  expect_identical(ids(x)$loss, "mean_square")
})
