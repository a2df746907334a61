"""The one family of errors that a user can cause."""


class PygptError(Exception):
    """Something the user gave cannot be used. The message says what, where and what to do.

    Commands print it and exit with 2; any other exception is a bug and keeps its traceback.

    Attributes:
        template: the message in English, with `{name}` where a value stands.
        values: the values by name; `output.messages.render` puts both into another language.
    """

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template)
        self.template, self.values = template, values

    def __str__(self) -> str:
        return self.template.format(**self.values) if self.values else self.template
