"""`make spread`: what is measured takes the place of what was, and all else stays."""

import json
import shutil
from pathlib import Path

from benchmarks.spread import store
from pygpt.exercises.opening import files, opened
from pygpt.exercises.preparation import Preparation


def test_the_measured_spread_is_put_into_the_truth(prepared: Path, tmp_path: Path) -> None:
    # an exercise whose truth lies beside its file, as the course's does, measured after one epoch alone
    for kept in prepared.with_name("exercise_prepared").iterdir():
        shutil.copy(kept, tmp_path / kept.name)
    file = tmp_path / "exercise.toml"
    path = tmp_path / "exercise.truth.json"
    whole = json.loads(path.read_text())
    first = whole | {"spread": {"seeds": [s for s in whole["spread"]["seeds"] if s["epoch"] == 1]}, "mistakes": {}}
    path.write_text(json.dumps(first))
    assert opened(file)["gpt"].measured_epochs == (1,)
    preparation = Preparation(files(file)["gpt"], prepared.with_name("exercise_work"), 2)
    assert all(preparation.done(part) for part in preparation.parts)
    store(preparation)
    now = json.loads(path.read_text())
    assert (now["spread"]["seeds"], now["mistakes"]) == (whole["spread"]["seeds"], whole["mistakes"])
    assert {key: now[key] for key in ("files", "weights_sha256")} == {k: whole[k] for k in ("files", "weights_sha256")}
    assert opened(file)["gpt"].measured_epochs == (1, 2)
