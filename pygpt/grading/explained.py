"""The rubric as a TOML file that explains itself: what `--rubric` takes, with comments in a language."""

import json

from pygpt.grading.check import STAGES
from pygpt.grading.checks import CHECKS
from pygpt.grading.rubric import Rubric
from pygpt.output.messages import Message, say

_TABLES = {
    "points": say("Points of each check. A check without points (0) still runs and is listed."),
    "caps": say("The most that is given, whatever the checks give."),
    "total": say("What the whole counts: all points, and the caps, are rescaled to it."),
    "gates": say(
        "The most that the grade can be where a check or a whole stage is not passed, in the grade's own points: "
        'causality = 60, "padding.row" = 90.'
    ),
    "late": say("What each day late takes off the grade, by the column days_late of --roster."),
    "visibility": say(
        "Who sees a check or a stage in Gradescope's file: visible (as what is not named here), hidden, "
        "after_due_date, after_published. `grade check` runs what is visible. While a check is not seen, Gradescope "
        "shows no total."
    ),
    "parts": say("What a submission is asked for; what is left out here is neither run nor counted."),
    "sizes": say("Of what the sizes of the small models are drawn; the exercise's own size is asked about, too."),
    "tolerances": say("How far a port may be off."),
    "limits": say("What a submission may use."),
}
_TITLES = {**STAGES, **{check.id: check.title for check in CHECKS}}
_KEYS: dict[str, Message] = {
    **{f"{table}.{name}": title for table in ("points", "gates", "visibility") for name, title in _TITLES.items()},
    "caps.unexplained": say(
        "for forward, gradients and training together, where logits are not R's and no usual mistake explains them"
    ),
    "total.points": say("10, for instance; 0: the points are as they are"),
    "late.points": say("as the grade counts them"),
    "late.percent": say("of the most that the grade can be"),
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
