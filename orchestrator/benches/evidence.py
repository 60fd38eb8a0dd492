"""Collect what is known of a campaign: ledger, acts, documents, journals of its bench."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.archive.documents import complete_runs, journal_directory
from orchestrator.benches.story import Evidence, Line
from orchestrator.config.read_campaign import load_campaign
from orchestrator.ledger import Ledger
from orchestrator.station.acts import ActLedger, ActRecord
from orchestrator.station.journal import read_documents


def collect(
    data: Path,
    campaign: str,
    bench: Path,
    speed: float,
    kept: Mapping[str, Mapping[str, Any]] | None = None,
) -> Evidence:
    """Return the evidence of one campaign that had a bench for itself.

    Parameters
    ----------
    data, campaign:
        The data directory, and the campaign's id in it.
    bench:
        The run directory of the simulated bench.
    speed:
        Its clock, in lab seconds per second.
    kept:
        Trial → its observation, as it was when something was killed.
    """
    ledger = Ledger.of(data)
    events = ledger.events(campaign)
    ledger.close()
    lab = load_campaign(data / events[0].data["config"], check_drivers=False).lab
    stations = {
        instrument: name
        for name, station in lab.stations.items()
        for instrument in station.instruments.values()
    }
    acts = acts_of(data, campaign)
    return Evidence(
        campaign,
        events,
        acts,
        read_lines(bench),
        stations,
        speed,
        kept or {},
        _runs(data),
    )


def acts_of(data: Path, campaign: str) -> list[ActRecord]:
    """Return the acts of a campaign that its station service wrote down."""
    path = data / "station" / "acts.db"
    if not path.exists():
        return []
    acts = ActLedger(path)
    try:
        return [one for one in acts.all() if one.action.startswith(f"{campaign}.")]
    finally:
        acts.close()


def read_lines(bench: Path) -> list[Line]:
    """Return the lines of all journals of a bench, in the order of time."""
    lines = []
    for path in sorted((bench / "journal").glob("*.jsonl")):
        for number, text in enumerate(path.read_text().splitlines(keepends=True), 1):
            if not text.endswith("\n"):
                continue  # it is just being written
            facts = json.loads(text)
            wall, event = facts.pop("wall"), facts.pop("event")
            facts.pop("t")
            lines.append(Line(path.stem, number, wall, event, facts))
    return sorted(lines, key=lambda line: line.wall)


def _runs(data: Path) -> dict[str, str]:
    """Return action → uid for the runs that ended well."""
    directory = journal_directory(data)
    found = {}
    for uid in complete_runs(data):
        documents = read_documents(directory, uid)
        start, stop = documents[0][1], documents[-1][1]
        if stop.get("exit_status") == "success" and "action" in start:
            found[str(start["action"])] = uid
    return found
