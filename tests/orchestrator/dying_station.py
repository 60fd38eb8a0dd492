"""A station service that is killed at a chosen point: between a record and a byte.

``python -m tests.orchestrator.dying_station "a.1 sent" --lab ...``. A point is an action
and a moment: ``intended`` or ``sent`` (right after it was written, before anything
follows from it), a mark such as ``grip begun``, or ``done`` (just before it is written).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from instruments.plans.evidence import Mark
from orchestrator.station import __main__ as service
from orchestrator.station.acts import ActLedger, ActRecord, ActState
from orchestrator.station.journal import Journal

point = ("", "")
acting = ""


def die_at(one: str, now: str) -> None:
    if (one, now) == point:
        os.kill(os.getpid(), signal.SIGKILL)


class DyingActs(ActLedger):
    def intend(self, act: ActRecord) -> ActRecord:
        act = super().intend(act)
        die_at(act.action, "intended")
        return act

    def update(self, act: ActRecord, **changes: Any) -> ActRecord:
        global acting  # noqa: PLW0603 - the marks do not say whose they are
        if changes.get("state") is ActState.DONE:
            die_at(act.action, "done")
        act = super().update(act, **changes)
        if changes.get("state") is ActState.SENT:
            acting = act.action
            die_at(act.action, "sent")
        return act


class DyingJournal(Journal):
    def mark(self, mark: Mark) -> None:
        super().mark(mark)
        die_at(acting, f"{mark.what} {mark.state}")


if __name__ == "__main__":
    import orchestrator.station.open_lab as lab

    action, _, moment = sys.argv.pop(1).partition(" ")
    point = (action, moment)
    lab.ActLedger = DyingActs  # type: ignore[misc]
    lab.Journal = DyingJournal  # type: ignore[misc]
    sys.exit(service.main())
