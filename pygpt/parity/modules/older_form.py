"""How the older form of a module's recording tells its optimizers: `adam lr .01; sgd_momentum lr .05 momentum .9`."""

from typing import Any

_FLAGS = ("amsgrad", "nesterov", "centered", "maximize")


def optimizers_told(text: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """R's function and its arguments, by label. A label's first word names the function.

    A clause that is no such list (`the rest R torch's defaults`) is passed over.
    """
    told: dict[str, tuple[str, dict[str, Any]]] = {}
    for clause in text.split(";"):
        label, *words = clause.split() or [""]
        arguments: dict[str, Any] = {}
        while words:
            name = words.pop(0)
            if name in _FLAGS:
                arguments[name] = True
            elif words and _is_number(words[0]):
                arguments[name] = float(words.pop(0))
            else:
                break
        else:
            if label and arguments:
                told[label] = (f"optim_{label.split('_')[0]}", arguments)
    return told


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
