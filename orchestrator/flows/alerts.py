"""Tell whoever is not looking: a Prefect event, and a warning in the flow run's log.

An automation turns the events into mail or messages; see ``docs/alerts.md``.

======================== ==========================================================
event                    when
======================== ==========================================================
polyloop.alert.overrun   an act has taken longer than its deadline
polyloop.alert.silence   an instrument or a service does not answer
polyloop.alert.person    a person is needed: a question, a fault, an emergency stop
======================== ==========================================================
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextvars import copy_context
from typing import Literal

from prefect import get_run_logger
from prefect.events import emit_event
from prefect.exceptions import MissingContextError

log = logging.getLogger(__name__)

Kind = Literal["overrun", "silence", "person"]


def alert(
    kind: Kind,
    text: str,
    *,
    campaign: str,
    station: str = "",
    sample: str = "",
    action: str = "",
) -> None:
    """Raise an alert; returns at once, and neither waits for Prefect nor fails.

    Parameters
    ----------
    kind:
        Which of the three.
    text:
        What has happened and what to do, in one sentence.
    campaign, station, sample, action:
        Where; empty where it does not apply.
    """
    place = {"station": station, "sample": sample, "action": action}
    facts = {name: value for name, value in place.items() if value}
    where = ", ".join(f"{name} {value}" for name, value in facts.items())
    try:
        get_run_logger().warning("%s: %s (%s)", kind, text, where or campaign)
    except MissingContextError:
        log.warning("%s: %s (%s)", kind, text, where or campaign)
    facts |= {"kind": kind, "text": text, "campaign": campaign}
    # The first event of a process waits until Prefect's event stream is open.
    threading.Thread(
        target=copy_context().run, args=(_emit, kind, facts), name="alert", daemon=True
    ).start()


def _emit(kind: str, facts: Mapping[str, str]) -> None:
    try:
        emit_event(
            event=f"polyloop.alert.{kind}",
            resource={
                "prefect.resource.id": f"polyloop.campaign.{facts['campaign']}",
                "prefect.resource.name": facts["campaign"],
            },
            payload=dict(facts),
        )
    except Exception as error:  # noqa: BLE001 - an alert must not end the campaign
        log.warning("the alert was not passed on to Prefect: %s", error)
