"""The fixed words of reports, in English and Portuguese."""

_WORDS = {
    "expected": ("expected", "esperado"),
    "got": ("got", "obtido"),
    "hint": ("hint", "dica"),
    "seed": ("seed", "semente"),
    "mean": ("mean", "média"),
    "submissions": ("submissions", "entregas"),
    "what fails most": ("what fails most:", "o que mais falha:"),
    "ladder": ("from embedding to logits,", "da imersão aos logits,"),
    "graded": ("graded", "avaliada"),
    "ungradable": ("ungradable", "não avaliável"),
    "grader_error": ("grader error", "erro do avaliador"),
    "check": ("check", "verificação"),
    "points": ("points", "pontos"),
    "quantity": ("quantity", "quantidade"),
    "difference": ("difference", "diferença"),
    "verdict": ("verdict", "veredito"),
}
_STAGES = {
    "loads": ("Loads", "Carrega"),
    "builds": ("Builds", "Constrói"),
    "forward": ("Forward", "Passagem direta"),
    "causality": ("Causality", "Causalidade"),
    "gradients": ("Gradients", "Gradientes"),
    "padding": ("Padding row", "Linha de preenchimento"),
    "dropout": ("Dropout", "Dropout"),
    "training": ("Training", "Treinamento"),
    "vocabulary": ("Vocabulary and ids", "Vocabulário e ids"),
    "generation": ("Generation", "Geração"),
}
_PADDING = {
    "r": (
        "padding row: R's (row 1 has no gradient); accepted",
        "linha de preenchimento: a do R (a linha 1 não tem gradiente); aceita",
    ),
    "corrected": (
        "padding row: corrected (row 0, PAD, has no gradient); accepted",
        "linha de preenchimento: corrigida (a linha 0, PAD, não tem gradiente); aceita",
    ),
}


class Words:
    """`Words("pt")("hint")` is "dica"."""

    def __init__(self, lang: str) -> None:
        self.number = 1 if lang == "pt" else 0

    def __call__(self, key: str) -> str:
        return _WORDS[key][self.number]

    def stage(self, name: str) -> str:
        """A stage's title."""
        return _STAGES[name][self.number]

    def padding(self, row: str) -> str:
        """What is said of the padding row, `r` or `corrected`."""
        return _PADDING[row][self.number]
