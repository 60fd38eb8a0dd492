"""The counter between a campaign's ledger and the operator's desk in the Prefect UI.

What a person says there is written into the ledger, like a command on the command line;
what the ledger says waits for a person is shown there. Also where the campaign wants to
drain while Prefect, and with it the desk, is away.
"""

from __future__ import annotations

import logging
import os

from prefect.runtime import flow_run

from orchestrator import control
from orchestrator.campaign import Progress
from orchestrator.config.models import Campaign
from orchestrator.errors import Refused
from orchestrator.flows.desk import Desk, Said
from orchestrator.flows.forms import Question
from orchestrator.ledger import Ledger
from orchestrator.records import WithoutPrefect
from orchestrator.station.announce import stop_everything
from orchestrator.station.client import StationClient

log = logging.getLogger(__name__)

ANSWERS = {
    "it happened": "happened",
    "it did not": "did-not",
    "discard the sample": "discard",
}
"""What the form offers, and the answer of it in the ledger."""

AWAY = "Prefect is away"
US = "polyloop"


def waits_for_prefect(progress: Progress) -> bool:
    """Whether a campaign drains because Prefect is away, and no person wants it to."""
    return progress.held == "draining" and progress.held_by == US


class Counter:
    """Carries words between the ledger and the desk, both ways."""

    def __init__(
        self,
        campaign: Campaign,
        campaign_id: str,
        ledger: Ledger,
        client: StationClient,
    ) -> None:
        self._drains = campaign.without_prefect is WithoutPrefect.DRAIN
        self._id = campaign_id
        self._ledger = ledger
        self._client = client
        self.flow_run = str(flow_run.get_id())
        self._desk = Desk(self.flow_run)
        self._asked: set[str] = set()
        self._paused = False

    def listen(self, progress: Progress) -> None:
        """Write down what persons have said at the desk, and that it is away."""
        for said in self._desk.take():
            self._write(said)
        away = self._desk.away_since() is not None
        if self._drains and away and not progress.held:
            self._tell("drain", US, AWAY, "")
        elif waits_for_prefect(progress) and not away:
            self._tell("resume", US, AWAY, "it is back")

    def show(self, progress: Progress) -> None:
        """Show at the desk what waits for a person."""
        if (progress.held == "paused") != self._paused:
            self._paused = not self._paused
            if self._paused:
                self._desk.paused("by the operator")
            else:
                self._desk.resumed()
        waiting = {q.id: q for q in progress.questions.values() if not q.answer}
        for name in waiting.keys() - self._asked:
            one = waiting[name]
            self._desk.ask(Question(name, one.text, one.act.sample, one.act.station))
        for name in self._asked - waiting.keys():
            self._desk.withdraw(name)
        self._asked = set(waiting)

    def close(self, patience: float) -> None:
        """Take down what is shown; wait so many real seconds for a Prefect that is away."""
        self._desk.close(patience)

    def _write(self, said: Said) -> None:
        if said.verb != "answer":
            if said.verb == "estop":
                key = os.environ["POLYLOOP_STATION_KEY"]
                stop_everything(self._client.address, key, said.who, said.via)
            self._tell(said.verb, said.who, said.via, said.note)
            return
        try:
            control.answer(
                self._ledger,
                self._id,
                said.question,
                ANSWERS[said.answer],
                who=said.who,
                via=said.via,
                note=said.note,
            )
        except Refused as refused:  # somebody else was quicker
            log.warning("%s", refused)

    def _tell(self, verb: str, who: str, via: str, note: str) -> None:
        everything = control.Subject()
        control.tell(
            self._ledger, self._id, verb, everything, who=who, via=via, note=note
        )
