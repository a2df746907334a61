"""The quirks that matter, as text and as JSON. In English, as parity's reports are."""

from typing import Any

from pygpt.parity.quirks.places import Match
from pygpt.parity.quirks.table import KINDS, table

_MOST = 4


def as_text(looked_at: str, concerned: list[Match]) -> list[str]:
    """Lines for a terminal: each quirk with where it occurs, what R, PyTorch and a port do, and the evidence."""
    known = table()
    if not concerned:
        return [f"{looked_at}: nothing of it is known to be otherwise in R torch {known.version}."]
    count = f"{len(concerned)} thing{'s' if len(concerned) > 1 else ''}"
    lines = [f"{looked_at}: {count} that R torch {known.version} does otherwise than PyTorch."]
    for match in concerned:
        quirk = match.quirk
        lines += [
            "",
            f"{quirk.title} ({KINDS[quirk.kind]})",
            f"  where:    {_where(match)}",
            f"  R torch:  {quirk.does}",
            f"  PyTorch:  {quirk.pytorch}",
            f"  a port:   {quirk.port}",
            f"  evidence: {quirk.source}; {known.evidence_of(quirk)}",
        ]
    return lines


def as_json(looked_at: str, concerned: list[Match]) -> dict[str, Any]:
    """The same for programs. `format` rises when a key changes its meaning."""
    known = table()
    return {
        "format": 1,
        "looked_at": looked_at,
        "r_torch": known.version,
        "main_branch": known.main,
        "quirks": [
            {
                "id": match.quirk.id,
                "title": match.quirk.title,
                "kind": match.quirk.kind,
                "where": [{"name": use.name, "at": use.where} for use in match.uses],
                "r_torch": match.quirk.does,
                "pytorch": match.quirk.pytorch,
                "port": match.quirk.port,
                "source": match.quirk.source,
                "main_branch": match.quirk.main,
                "evidence": match.quirk.evidence,
                "proof": match.quirk.proof or None,
            }
            for match in concerned
        ],
    }


def _where(match: Match) -> str:
    places = list(dict.fromkeys(f"{use.name} ({use.where})" for use in match.uses))
    more = f" and {len(places) - _MOST} more" if len(places) > _MOST else ""
    return ", ".join(places[:_MOST]) + more
