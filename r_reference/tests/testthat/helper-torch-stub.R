# As much of torch and safetensors as record_module.R calls, in base R: arrays for tensors, environments for modules.
# It computes nothing that torch computes: gradients are ones, an optimizer takes a tenth of them.

#' An array as a tensor: an environment with the methods that record_module.R calls.
stub_tensor <- function(values, whole = FALSE, trained = FALSE) {
  shape <- if (is.null(dim(values))) length(values) else dim(values)
  self <- new.env()
  same <- function(other = self$values) stub_tensor(other, whole)
  no_item <- function(value) list(item = function() value, any = function() no_item(any(value)))
  list2env(list(
    values = values, shape = shape, dtype = if (whole) "Long" else "Float", requires_grad = trained, grad = NULL,
    detach = function() same(), cpu = function() same(), clone = function() same(), contiguous = function() same(),
    reshape = function(to) same(array(self$values, to)), to = function(dtype) same(),
    numel = function() length(self$values), element_size = function() if (whole) 8 else 4,
    is_floating_point = function() !whole, isnan = function() no_item(is.nan(self$values)),
    min = function() no_item(min(self$values)), item = function() self$values[[1]],
    copy_ = function(other) self$values <- other$values, set_grad_ = function(grad) self$grad <- grad,
    square = function() same(self$values^2),
    mean = function() stub_tensor(mean(self$values), trained = TRUE),
    backward = function() invisible(NULL)), envir = self)
  class(self) <- "torch_tensor"
  self
}

#' nn_module() of the stub: parameters and submodules are what initialize() puts into self.
stub_module <- function(classname, initialize, forward) {
  generator <- function() NULL
  formals(generator) <- formals(initialize)
  body(generator) <- quote(stub_instance(classname, initialize, forward, as.list(environment())))
  environment(generator) <- list2env(list(classname = classname, initialize = initialize, forward = forward))
  parent.env(environment(generator)) <- environment(stub_instance)
  structure(generator, class = c(classname, "nn_module", "nn_module_generator"))
}

#' A module of the stub with what R torch's has: private$modules_, locked methods, a callable with its R6 instance.
stub_instance <- function(classname, initialize, forward, args) {
  private <- new.env()
  private$modules_ <- list()
  private$training_ <- TRUE
  own <- list()
  instance <- new.env()
  callable <- NULL
  self <- structure(list(instance), class = "stub_self")
  environment(forward) <- list2env(list(self = self, private = private), parent = environment(forward))
  tree <- function(what) {
    below <- lapply(names(private$modules_), function(name) {
      one <- what(private$modules_[[name]])
      if (length(one) > 0) stats::setNames(one, paste0(name, ".", names(one)))
    })
    unlist(below, recursive = FALSE)
  }
  set_mode <- function(mode) {
    private$training_ <- mode
    for (module in private$modules_) attr(module, "module")$set_mode(mode)
  }
  list2env(list(
    forward = forward, own = own, .__enclos_env__ = list(private = private), set_mode = set_mode,
    add = function(name, value) {
      if (inherits(value, "nn_module")) private$modules_[[name]] <- value
      else if (inherits(value, "torch_tensor")) instance$own[[name]] <- value
      else assign(name, value, envir = instance)
    },
    get_named = function(name) {
      if (!is.null(private$modules_[[name]])) return(private$modules_[[name]])
      if (!is.null(instance$own[[name]])) instance$own[[name]] else get0(name, instance, inherits = FALSE)
    },
    eval = function() set_mode(FALSE), train = function() set_mode(TRUE),
    all_parameters = function() c(tree(function(module) module$state_dict()), instance$own),
    once = function() {
      all <- instance$all_parameters()
      all[!duplicated(all)]
    },
    all_modules = function() {
      c(list(instance$callable), unlist(lapply(private$modules_, function(m) m$modules), recursive = FALSE))
    }), envir = instance)
  makeActiveBinding("training", function() private$training_, instance)
  do.call(local({
    environment(initialize) <- list2env(list(self = self), parent = environment(initialize))
    initialize
  }), args)
  instance$callable <- structure(forward, class = c(classname, "nn_module"), module = instance)
  lockBinding("forward", instance)
  instance$callable
}

#' The functions that `torch::` and `safetensors::` mean; files are kept in `written`.
stub_packages <- function() {
  written <- new.env()
  optimizer <- function(parameters, lr = 0.1) {
    step <- function() for (p in parameters) p$copy_(stub_tensor(p$values - lr))
    groups <- list(list(params = parameters, lr = lr))
    structure(list(zero_grad = function(...) NULL, step = step, param_groups = groups),
              class = c("optim_stub", "torch_optimizer"))
  }
  list(
    written = written,
    torch_long = function() "Long", torch_int = function() "Int", torch_float64 = function() "Double",
    torch_get_rng_state = function() "state", torch_set_rng_state = function(state) written$state <- state,
    torch_manual_seed = function(seed) written$seeds <- c(written$seeds, seed), torch_get_num_threads = function() 3L,
    with_no_grad = function(code) force(code), is_undefined_tensor = function(tensor) FALSE,
    torch_equal = function(a, b) identical(a$values, b$values),
    torch_tensor = function(values, dtype) stub_tensor(values),
    autograd_grad = function(loss, parameters, allow_unused) {
      lapply(parameters, function(p) stub_tensor(array(1, p$shape)))
    },
    optim_adamw = optimizer, nnf_mse_loss = function(y, t) stub_tensor(mean((y$values - t$values)^2), trained = TRUE),
    safe_save_file = function(tensors, path, metadata) {
      written$tensors <- tensors
      written$metadata <- metadata
      file.create(path)
    })
}

#' record_module.R with the stub in place of the packages: list(record, written).
record_with_stub <- function() {
  stub <- stub_packages()
  envir <- new.env(parent = globalenv())
  envir[["::"]] <- function(package, name) {
    if (as.character(substitute(package)) == "utils") return(function(...) "0.0.0")
    stub[[as.character(substitute(name))]]
  }
  envir$asNamespace <- function(name) list2env(stub)
  envir[["$.nn_module"]] <- function(x, name) {
    instance <- attr(x, "module")
    switch(name, parameters = instance$once(), state_dict = instance$all_parameters, buffers = list(),
           modules = instance$all_modules(), instance[[name]])
  }
  source(file.path(r_reference, "record_module.R"), local = envir)
  list(record = envir$record_module, written = stub$written)
}

`$.stub_self` <- function(x, name) unclass(x)[[1]]$get_named(name)
`$<-.stub_self` <- function(x, name, value) {
  unclass(x)[[1]]$add(name, value)
  x
}
`$.nn_module` <- function(x, name) {
  instance <- attr(x, "module")
  switch(name, parameters = instance$once(), state_dict = instance$all_parameters, modules = instance$all_modules(),
         instance[[name]])
}
