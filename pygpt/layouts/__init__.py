"""Where a port keeps the weights: another model's names, shapes and orders, found by its own."""
