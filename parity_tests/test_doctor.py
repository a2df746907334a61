"""`parity doctor`: what it says where all is there, where R is missing and where rpy2 is."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from pygpt.commands import main
from pygpt.parity import doctor
from pygpt.r.session import RSession


def told(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["parity", "doctor", *options], catch_exceptions=False)
    return result.exit_code, result.output


def test_where_r_is(r: RSession) -> None:
    code, text = told("--json")
    facts = json.loads(text)
    assert code == 0
    assert facts["sources"]["oracle"] is facts["sources"]["recorded"] is facts["bridge"] is True
    assert facts["r"]["version"] == r.evaluate("R.version.string")
    assert facts["r"]["icu"] == r.evaluate("extSoftVersion()[['ICU']]")
    assert facts["rpy2"]["rpy2"] == "3.6.4"
    assert len(facts["python"]["kernel_fingerprint"]) == 64
    assert all(facts["r"][name] for name in ("home", "locale", "order", "blas", "lapack", "cores"))


def test_packages_of_r_that_are_missing_have_their_line(r: RSession) -> None:
    diagnosis = doctor.examine()
    text = "\n".join(line for line, _ in doctor.doctor_text(diagnosis))
    for name in doctor.R_PACKAGES:
        installed = bool(r.call("system.file", package=name))
        assert (diagnosis.r[name] is not None) == installed
        assert (f'"{name}"' in text) != installed
    assert ("install.packages" in text) == (None in [diagnosis.r[name] for name in doctor.R_PACKAGES])


@pytest.mark.usefixtures("without_r")
def test_where_r_is_missing() -> None:
    code, text = told()
    assert code == 1
    assert "R: R is not installed" in text
    assert "apt-get install r-base-core r-base-dev" in text
    assert "recorded       can be used" in text
    facts = json.loads(told("--json")[1])
    assert facts["sources"] == {"oracle": False, "torch": False, "recorded": True}
    assert facts["r"]["version"] is None
    assert facts["python"]["torch"]


@pytest.mark.usefixtures("r")
def test_where_rpy2_is_missing(break_rpy2: Callable[[str], None]) -> None:
    break_rpy2("ImportError(\"No module named 'rpy2'\")")
    code, text = told()
    assert code == 1
    assert "R version" in text
    assert "No module named 'rpy2'" in text
    assert "pip install" in text
