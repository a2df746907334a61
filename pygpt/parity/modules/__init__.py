"""Any module: what R torch computed of it, held against a Python port, submodule by submodule."""
