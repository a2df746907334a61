"""How results reach people: sentences in two languages, tables, pages, pictures."""
