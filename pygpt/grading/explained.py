"""The rubric as a TOML file that explains itself: what `--rubric` takes, with comments in a language."""

import json

from pygpt.grading.checks import CHECKS
from pygpt.grading.rubric import Rubric
from pygpt.output.messages import Message, say

_TABLES = {
    "points": say("Points of each check. A check without points (0) still runs and is listed."),
    "caps": say("The most that is given, whatever the checks give."),
    "parts": say("What a submission is asked for; what is left out here is neither run nor counted."),
    "tolerances": say("How far a port may be off."),
    "limits": say("What a submission may use."),
}
_KEYS: dict[str, Message] = {
    **{f"points.{check.id}": check.title for check in CHECKS},
    "caps.unexplained": say(
        "for forward, gradients and training together, where logits are not R's and no usual mistake explains them"
    ),
    "tolerances.logits": say("largest difference, in standard deviations of the logits"),
    "tolerances.gradients": say("of a gradient's norm"),
    "tolerances.update": say("of the learning rate"),
    "limits.check_seconds": say("for each answer"),
    "limits.load_seconds": say("for loading the submission"),
    "limits.total_seconds": say("for all of its grading"),
    "limits.cpu_seconds": say("of processor time"),
    "limits.memory_mib": say("of memory"),
    "limits.disk_mib": say("of temporary files"),
    "limits.answer_mib": say("for one answer"),
    "limits.processes": say("at a time; threads count, too"),
    "limits.files": say("open at a time"),
    "limits.restarts": say("times that a process that has ended is begun anew"),
}


def explained(rubric: Rubric, lang: str) -> str:
    """The whole rubric; read again, it is the same."""
    lines = []
    for table, values in rubric.values.items():
        lines += [f"# {_TABLES[table].render(lang)}", f"[{table}]"]
        for key, value in values.items():
            line = f"{json.dumps(key) if '.' in key else key} = {json.dumps(value)}"
            about = _KEYS.get(f"{table}.{key}")
            lines.append(line if about is None else f"{line:32}  # {about.render(lang)}")
        lines.append("")
    total = say("{n:g} points in all; a file given as --rubric changes what it names.", n=sum(rubric.points.values()))
    return "\n".join([*lines, f"# {total.render(lang)}", ""])
