"""A live R in a process of its own. It knows no model."""
