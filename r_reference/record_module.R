# Record what any R torch module computes, so that a Python port can be held against it (`pygpt parity check`).
# One file, to be sourced in any session; it needs the packages torch and safetensors and nothing else:
#   source("record_module.R")
#   record_module(net, inputs = x, path = "net.safetensors", args = list(hidden = 8), target = y)
# What the file holds is said in the README of parity_tests/modules.

#' Record a module: its weights, every submodule's output, loss, gradients, and a short training.
#'
#' @param generator_or_module what nn_module() returns, which is built with args after torch_manual_seed(seed), or a
#'   module that is there already; its weights, mode and gradients are put back afterwards, as torch's generator is.
#' @param inputs a tensor, or a list of tensors and plain values: the arguments of forward().
#' @param path the file, .safetensors.
#' @param args the arguments of the generator, by name: numbers, strings, logicals, and lists of these.
#' @param seed torch's seed before the module is built, and before the one call of forward() in eval mode.
#' @param loss a function or module of (output, target). NULL: cross entropy where target holds whole numbers (classes
#'   from 1), mean squared error where it does not, the mean square of the (first) output where there is no target.
#' @param target what the loss compares with: a tensor, or NULL.
#' @param optimizer optim_adamw or another one of torch's, or a function of (parameters, lr) that returns one.
#' @param lr the learning rate.
#' @param steps training steps on this one batch; 0 for none.
#' @param train_seed torch's seed before the first of them, which dropout draws from.
#' @return path, invisibly. Stops where the module gives something that cannot be recorded, and says what.
#' @export
record_module <- function(generator_or_module, inputs, path, args = list(), seed = 42, loss = NULL, target = NULL,
                          optimizer = torch::optim_adamw, lr = 1e-3, steps = 20, train_seed = 7) {
  if (!is.list(inputs)) inputs <- list(inputs)
  record_arguments(generator_or_module, inputs, path, args, target, steps)
  before <- torch::torch_get_rng_state()
  on.exit(torch::torch_set_rng_state(before))
  torch::torch_manual_seed(seed)
  built <- inherits(generator_or_module, "nn_module_generator")
  net <- if (built) do.call(generator_or_module, args) else generator_or_module
  put_back <- record_state(net)
  on.exit(put_back(), add = TRUE)

  store <- record_store()
  inputs_said <- record_add_inputs(store, inputs)
  if (!is.null(target)) store$add("target", target)
  store$add_all("init.", net$state_dict())
  parameters <- net$parameters
  trained <- Filter(function(parameter) parameter$requires_grad, parameters)
  loss <- record_loss(loss, target)
  net$eval()
  torch::torch_manual_seed(seed)
  traced <- record_calls(net, inputs, store)
  for (one in record_flat(traced$output, "output")) {
    if (!inherits(one$leaf, "torch_tensor")) {
      record_refuse("forward() returns a ", class(one$leaf)[1], " (", one$name, "); only tensors and lists of tensors ",
                    "can be recorded")
    }
    store$add(one$name, one$leaf)
  }
  value <- record_scalar(loss$of(traced$output, target))
  store$add("loss", value)
  without <- record_gradients(value, trained, store)
  put_back(tensors_only = TRUE)
  training <- list(name = "none")
  if (steps > 0 && length(trained) > 0) {
    training <- record_training(net, inputs, target, loss, optimizer, lr, steps, train_seed, store)
  }
  version <- function(package) as.character(utils::packageVersion(package))
  libtorch <- get0("torch_version", envir = asNamespace("torch"), inherits = FALSE)
  store$write(path, list(
    recording = "module", form = 2, made_by = "record_module.R", model = class(net)[1], built = built,
    r = as.character(getRversion()), torch = version("torch"), safetensors = version("safetensors"),
    libtorch = if (is.character(libtorch)) libtorch else "unknown", platform = R.version$platform,
    threads = torch::torch_get_num_threads(), recorded = format(Sys.Date()), build_seed = seed, args = args,
    inputs = record_ids(inputs_said, traced$calls), target = list(ids = record_counts_from_1(target)),
    loss = loss$name, parameters = as.list(names(parameters)), without_gradient = as.list(without),
    frozen = as.list(setdiff(names(parameters), names(trained))), optimizer = training$name,
    optimizer_arguments = training$arguments, lr = lr, train_steps = if (training$name == "none") 0 else steps,
    train_seed = train_seed, layers = traced$layers, calls = traced$calls))
  message("wrote ", path, ": ", length(store$names()), " tensors")
  invisible(path)
}

#' Stop with a sentence for whoever called record_module().
record_refuse <- function(...) stop(..., call. = FALSE)

#' Stop where an argument cannot be recorded.
record_arguments <- function(module, inputs, path, args, target, steps) {
  record_check_places(path, args, steps)
  if (!inherits(module, "nn_module")) {
    record_refuse("generator_or_module must be what nn_module() returns, or a module, not a ", class(module)[1])
  }
  for (i in seq_along(inputs)) if (!inherits(inputs[[i]], "torch_tensor") && !record_is_plain(inputs[[i]])) {
    record_refuse("inputs: number ", i, " is a ", class(inputs[[i]])[1], "; give torch_tensor(x), or a plain value")
  }
  if (!is.null(target) && !inherits(target, "torch_tensor")) record_refuse("target must be a tensor or NULL")
}

#' Stop where path, args or steps are none.
record_check_places <- function(path, args, steps) {
  if (!is.character(path) || length(path) != 1) record_refuse("path must be one file name")
  if (!dir.exists(dirname(path))) record_refuse("path: there is no folder ", dirname(path))
  if (!isTRUE(is.numeric(steps) & steps %in% 0:1e4)) record_refuse("steps must be a whole number to 10,000")
  if (length(args) > 0 && (is.null(names(args)) || "" %in% names(args))) {
    record_refuse("args must have names: Python's build() gets them by name")
  }
}

#' Whether x is numbers, text or truth values without dimensions, or NULL.
record_is_plain <- function(x) is.null(x) || (is.atomic(x) && !is.complex(x) && !is.raw(x) && is.null(dim(x)))

#' Whether a tensor holds whole numbers: such may be R's ids, which count from 1.
record_is_whole <- function(x) x$dtype == torch::torch_long() || x$dtype == torch::torch_int()

#' Whether x is a tensor of whole numbers from 1.
record_counts_from_1 <- function(x) !is.null(x) && record_is_whole(x) && x$numel() > 0 && x$min()$item() >= 1

#' Whether a gradient is there: torch has NULL or an undefined tensor where it is not.
record_is_defined <- function(tensor) inherits(tensor, "torch_tensor") && !torch::is_undefined_tensor(tensor)

#' Every tensor, gradient and mode of a module as they are now; the function returned puts them back.
record_state <- function(net) {
  parameters <- net$parameters
  held <- c(parameters, net$buffers)
  copies <- lapply(held, function(tensor) tensor$detach()$clone())
  gradients <- lapply(parameters, function(p) if (record_is_defined(p$grad)) p$grad$detach()$clone())
  modules <- lapply(net$modules, function(module) attr(module, "module"))
  modes <- lapply(modules, function(module) module$training)
  function(tensors_only = FALSE) {
    torch::with_no_grad(for (i in seq_along(held)) held[[i]]$copy_(copies[[i]]))
    if (tensors_only) return(invisible())
    for (i in seq_along(modules)) modules[[i]]$.__enclos_env__$private$training_ <- modes[[i]]
    for (i in seq_along(parameters)) if (!is.null(gradients[[i]])) parameters[[i]]$set_grad_(gradients[[i]])
    invisible()
  }
}

#' Stop at a tensor that holds NaN, or that is too much.
record_check_tensor <- function(name, tensor, too_much, most) {
  if (tensor$is_floating_point() && tensor$numel() > 0 && tensor$isnan()$any()$item()) {
    record_refuse(name, " holds NaN: nothing can be held against it. Look at inputs, weights and lr")
  }
  if (too_much) {
    record_refuse("with ", name, ", (", toString(tensor$shape), "), the recording has more than ", most,
                  " bytes. Give a smaller batch, or raise the limit: options(record_module.most_bytes = )")
  }
}

#' The tensors that are recorded, with a limit on their bytes (option record_module.most_bytes, 200 MB).
record_store <- function() {
  tensors <- list()
  bytes <- 0
  most <- getOption("record_module.most_bytes", 2e8)
  add <- function(name, tensor) {
    tensor <- tensor$detach()$cpu()
    bytes <<- bytes + tensor$numel() * tensor$element_size()
    record_check_tensor(name, tensor, bytes > most, most)
    tensors[[name]] <<- if (length(tensor$shape) == 0) tensor$reshape(1)$clone() else tensor$contiguous()$clone()
  }
  add_all <- function(prefix, named) for (name in names(named)) add(paste0(prefix, name), named[[name]])
  # what has another tensor's very content is named, not kept twice
  known <- function(tensor) {
    for (name in rev(grep("^(in|input|act)[.]", names(tensors), value = TRUE))) {
      one <- tensors[[name]]
      same <- identical(one$shape, tensor$shape) && one$dtype == tensor$dtype
      if (same && torch::torch_equal(one, tensor)) return(name)
    }
  }
  write <- function(path, metadata) {
    partial <- paste0(path, ".partial")
    on.exit(unlink(partial))
    safetensors::safe_save_file(tensors, partial, metadata = lapply(metadata, record_json, top = TRUE))
    if (!file.rename(partial, path)) record_refuse("cannot write ", path)
  }
  list(add = add, add_all = add_all, known = known, names = function() names(tensors), write = write)
}

#' Add the tensors among the inputs; for each input its name, and the tensor's name or its value.
record_add_inputs <- function(store, inputs) {
  given <- if (is.null(names(inputs))) rep("", length(inputs)) else names(inputs)
  lapply(seq_along(inputs), function(i) {
    if (!inherits(inputs[[i]], "torch_tensor")) return(list(name = given[i], value = inputs[[i]]))
    tensor <- paste0("input.", if (given[i] == "") i else given[i])
    store$add(tensor, inputs[[i]])
    list(name = given[i], tensor = tensor, ids = record_counts_from_1(inputs[[i]]))
  })
}

#' Which inputs are ids: those that an embedding gets; where none gets any, all whole numbers from 1.
record_ids <- function(said, calls) {
  looked_up <- unlist(lapply(calls, function(call) if (call$ids) call$inputs[[1]]$tensor))
  seen <- vapply(said, function(input) !is.null(input$tensor) && input$tensor %in% looked_up, NA)
  if (any(seen)) for (i in which(!seen)) said[[i]]$ids <- FALSE
  said
}

#' The leaves of a value as list(name, leaf): "name" for a value that is no list, "name[1]", "name[2]" ... of a list.
record_flat <- function(x, name) {
  is_list <- function(x) is.list(x) && !inherits(x, "torch_tensor")
  if (!is_list(x)) return(list(list(name = name, leaf = x)))
  leaves <- function(x) if (is_list(x)) unlist(lapply(unname(x), leaves), recursive = FALSE) else list(x)
  flat <- leaves(x)
  lapply(seq_along(flat), function(i) list(name = sprintf("%s[%d]", name, i), leaf = flat[[i]]))
}

#' Call the module with every submodule's forward() wrapped, and put all back, also after an error.
#' Returns list(output, calls, layers): the calls in the order in which they ended, each layer's class and settings.
record_calls <- function(net, inputs, store) {
  calls <- layers <- undo <- seen <- list()
  on.exit(for (back in rev(undo)) back())
  add_call <- function(call) calls[[length(calls) + 1]] <<- call
  wrap_child <- function(private, name, path) {
    child <- private$modules_[[name]]
    if (is.null(child)) return()
    own <- attr(child, "module")
    # a module that stands in two places has one name, its first, as in PyTorch
    before <- Filter(function(one) identical(one$own, own), seen)
    below <- paste0(path, if (path != "") ".", name)
    wrapped <- if (length(before) > 0) before[[1]]$wrapped else record_wrapped(child, below, store, add_call)
    undo[[length(undo) + 1]] <<- function() private$modules_[[name]] <- child
    private$modules_[[name]] <- structure(wrapped, class = class(child), module = own)
    if (length(before) > 0) return()
    seen[[length(seen) + 1]] <<- list(own = own, wrapped = wrapped)
    # the method, too: some call module$forward(x)
    method <- get("forward", envir = own)
    set_method <- function(value) {
      unlockBinding("forward", own)
      assign("forward", value, envir = own)
      lockBinding("forward", own)
    }
    undo[[length(undo) + 1]] <<- function() set_method(method)
    set_method(wrapped)
    walk(child, below)
  }
  walk <- function(module, path) {
    instance <- attr(module, "module")
    fields <- mget(Filter(function(name) !bindingIsActive(name, instance), ls(instance)), envir = instance)
    fields <- Filter(function(x) record_is_plain(x) && length(x) %in% 1:8, fields)
    layers[[length(layers) + 1]] <<- list(name = path, class = class(module)[1], settings = fields)
    private <- instance$.__enclos_env__$private
    for (name in names(private$modules_)) wrap_child(private, name, path)
  }
  walk(net, "")
  list(output = do.call(net, inputs), calls = calls, layers = layers)
}

#' A submodule's forward() that records each of its calls.
record_wrapped <- function(child, path, store, add_call) {
  force(child)
  count <- 0
  function(...) {
    given <- list(...) # what is computed for the arguments is called before this
    count <<- count + 1
    label <- paste0(path, if (count > 1) paste0("#", count))
    inputs <- record_call_inputs(child, given, label, store)
    output <- child(...)
    flat <- Filter(function(one) inherits(one$leaf, "torch_tensor"), record_flat(output, paste0("act.", label)))
    for (one in flat) store$add(one$name, one$leaf)
    ids <- grepl("embedding", class(child)[1]) && length(inputs) > 0 && isTRUE(inputs[[1]]$whole)
    add_call(list(name = label, layer = path, class = class(child)[1], ids = ids, inputs = inputs,
                  outputs = lapply(flat, function(one) one$name)))
    output
  }
}

#' What a submodule was called with: for each argument its name, and the recorded tensors' names or the value.
record_call_inputs <- function(forward, given, label, store) {
  matched <- as.list(match.call(forward, as.call(c(list(as.name("forward")), given))))[-1]
  said <- list()
  for (i in seq_along(matched)) for (one in record_flat(matched[[i]], "")) {
    held <- list(value = if (record_is_plain(one$leaf)) one$leaf else class(one$leaf)[1])
    if (inherits(one$leaf, "torch_tensor")) {
      tensor <- store$known(one$leaf)
      if (is.null(tensor)) {
        tensor <- sprintf("in.%s[%d]", label, length(said) + 1)
        store$add(tensor, one$leaf)
      }
      held <- list(tensor = tensor, whole = record_is_whole(one$leaf))
    }
    said[[length(said) + 1]] <- c(list(name = names(matched)[i], position = i), held)
  }
  said
}

#' The loss as list(of = function(output, target), name = what it is).
record_loss <- function(loss, target) {
  if (inherits(loss, "nn_module_generator")) loss <- loss()
  if (is.function(loss)) {
    names <- ls(asNamespace("torch"), pattern = "^nnf_")
    same <- Filter(function(name) identical(get(name, asNamespace("torch")), loss), names)
    return(list(of = loss, name = c(if (inherits(loss, "nn_module")) class(loss)[1], same, "custom")[1]))
  }
  if (!is.null(loss)) record_refuse("loss must be a function or a module of (output, target), or NULL")
  first <- function(output) record_flat(output, "")[[1]]$leaf
  if (is.null(target)) return(list(of = function(output, target) first(output)$square()$mean(), name = "mean_square"))
  if (!record_is_whole(target)) {
    return(list(of = function(output, target) torch::nnf_mse_loss(first(output), target), name = "nnf_mse_loss"))
  }
  list(name = "nnf_cross_entropy", of = function(output, target) {
    y <- first(output)
    last <- length(y$shape)
    target <- target$to(dtype = torch::torch_long())
    # classes last, as a language model has them
    if (last < 3 || !identical(y$shape[-last], target$shape)) return(torch::nnf_cross_entropy(y, target))
    torch::nnf_cross_entropy(y$reshape(c(-1, y$shape[last])), target$reshape(-1))
  })
}

#' A loss as a tensor of one number; stops where it is none.
record_scalar <- function(value) {
  if (inherits(value, "torch_tensor") && value$numel() == 1) return(value)
  record_refuse("the loss must be a tensor of one number")
}

#' Add every gradient; the names of the parameters that have none.
record_gradients <- function(loss, trained, store) {
  if (length(trained) == 0) return(character(0))
  if (!loss$requires_grad) record_refuse("the loss does not depend on the parameters: it has no gradient")
  gradients <- torch::autograd_grad(loss, unname(trained), allow_unused = TRUE)
  there <- vapply(gradients, record_is_defined, NA)
  for (i in which(there)) store$add(paste0("grad.", names(trained)[i]), gradients[[i]])
  names(trained)[!there]
}

#' Train on the one batch: the losses, the weights after one step and after the last; which optimizer it was.
record_training <- function(net, inputs, target, loss, optimizer, lr, steps, train_seed, store) {
  takes_lr <- any(c("lr", "...") %in% names(formals(optimizer)))
  made <- if (takes_lr) optimizer(net$parameters, lr = lr) else optimizer(net$parameters)
  if (!inherits(made, "torch_optimizer") || inherits(made, "optim_lbfgs")) {
    record_refuse("optimizer must make one of torch's optimizers, other than optim_lbfgs")
  }
  made$zero_grad(set_to_none = TRUE)
  net$train()
  torch::torch_manual_seed(train_seed)
  losses <- numeric(steps)
  for (step in seq_len(steps)) {
    made$zero_grad()
    value <- record_scalar(loss$of(do.call(net, inputs), target))
    losses[step] <- value$item()
    if (!is.finite(losses[step])) record_refuse("the loss is ", losses[step], " at step ", step, ": lower lr")
    value$backward()
    made$step()
    if (step %in% c(1, steps)) store$add_all(paste0("step", step, "."), net$state_dict())
  }
  store$add("losses", torch::torch_tensor(losses, dtype = torch::torch_float64()))
  group <- made$param_groups[[1]]
  list(name = class(made)[1], arguments = Filter(record_is_plain, group[names(group) != "params"]))
}

#' JSON: lists with names become objects, others arrays, vectors of length 1 values. top: text is left without quotes.
record_json <- function(x, top = FALSE) {
  if (is.null(x)) return("null")
  if (is.list(x) || length(x) != 1) {
    items <- vapply(as.list(x), record_json, "", USE.NAMES = FALSE)
    if (!is.list(x) || length(names(x)) == 0) return(paste0("[", paste(items, collapse = ", "), "]"))
    return(paste0("{", paste0(vapply(names(x), record_json, ""), ": ", items, collapse = ", "), "}"))
  }
  if (is.na(x)) "null" else record_json_value(x, top)
}

#' One value of JSON.
record_json_value <- function(x, top) {
  if (is.logical(x)) return(tolower(x))
  if (is.numeric(x) && is.finite(x)) return(sprintf(if (x == signif(x, 15)) "%.15g" else "%.17g", x))
  text <- enc2utf8(as.character(x))
  if (top) return(text)
  paste0("\"", gsub("[[:cntrl:]]", " ", gsub("([\"\\\\])", "\\\\\\1", text)), "\"")
}
