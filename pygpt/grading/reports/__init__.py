"""A grade as text, as a page, as a table of the class, and as files for services."""
