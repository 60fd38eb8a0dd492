"""The operator's desk in the Prefect UI: questions, pauses and what persons say to them.

A thread of its own looks at the flow run once a second. Prefect is the view: whatever
it says or fails to say, the campaign goes on, and the ledger is the truth.

============================ ======================================================
the flow run in Prefect      what it means here
============================ ======================================================
Running                      nothing is asked; *Suspend* is a person's "pause"
Question (type paused)       a question's form is open; acts go on all the same
Paused                       the campaign is paused; the form asks how it goes on
Suspended                    a person's "pause"; becomes Paused, with the form
Cancelling                   *Cancel*: left alone, Prefect ends the process
Cancelled                    a person set it by force: "stop"
any other                    not true while this process lives: set Running again
============================ ======================================================
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.logging.handlers import set_api_log_sink
from prefect.states import Running

from orchestrator.flows.client import impatient_client
from orchestrator.flows.forms import LATER, PREFIX, VERBS, Form, Question

log = logging.getLogger(__name__)

VIA = "Prefect UI"
LOOK_EVERY = 1.0
"""Real seconds between two looks at the flow run."""

ASK_AGAIN = 300.0
"""Real seconds until a question that a person put off is shown again."""

LINES = 20_000
"""So many log lines are kept for Prefect while it is away; its own log drops them."""

BUSY = 5
"""So many errors of the server in a row are not yet an outage."""

LEAVE_AFTER = 90.0
"""Real seconds that a flow at its end may need to tell Prefect the rest; then it leaves."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said, and when (Unix time in s)."""

    verb: str
    """pause, resume, drain, stop, estop or answer."""
    at: float
    question: str = ""
    answer: str = ""
    who: str = VIA
    note: str = ""
    via: str = VIA


class Desk:
    """What is open for a person in the Prefect UI, and what persons have said there.

    Every call returns at once and raises nothing; a thread does the talking.

    Parameters
    ----------
    flow_run:
        The id of the flow run, which this process carries out.
    """

    def __init__(self, flow_run: str) -> None:
        self._run = UUID(flow_run)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._questions: dict[str, Question] = {}
        self._put_off: dict[str, float] = {}
        self._paused = ""
        self._said: list[Said] = []
        self._away: float | None = None
        self._misses = 0
        self._form: Form | None = None
        self._over = False
        self._lines: deque[dict[str, Any]] = deque(maxlen=LINES)
        set_api_log_sink(self._lines.append)
        _never_suspend(self._wake)
        self._thread = threading.Thread(target=self._watch, name="desk", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> None:
        """Show a question when no other form is open; to ask again changes nothing."""
        with self._lock:
            self._questions.setdefault(question.id, question)
        self._wake.set()

    def withdraw(self, question_id: str) -> None:
        """Take a question back: it was answered elsewhere, or no longer matters."""
        with self._lock:
            self._questions.pop(question_id, None)
        self._wake.set()

    def paused(self, why: str) -> None:
        """Show that the campaign is paused, whoever did it, and ask how it goes on.

        ``why`` ends the sentence "The campaign is paused …": "by Ada, at the terminal".
        """
        with self._lock:
            self._paused = why or "by the operator"
        self._wake.set()

    def resumed(self) -> None:
        """Take the form of a pause back: somebody said elsewhere how it goes on."""
        with self._lock:
            self._paused = ""
        self._wake.set()

    def take(self) -> list[Said]:
        """Return what persons have said since the last call, in order."""
        with self._lock:
            said, self._said = self._said, []
        return said

    def away_since(self) -> float | None:
        """Return since when (Unix time in s) Prefect does not answer, if so."""
        return self._away

    def close(self, patience: float = 0.0) -> None:
        """Take down what is shown; wait up to ``patience`` real seconds for Prefect.

        The end of a flow is told to Prefect once. When its server is being started
        again, a little patience lets that end be shown. The process ends `LEAVE_AFTER`
        later at the latest: Prefect would wait for hours to hand in its events.
        """
        deadline = time.monotonic() + patience
        while self._away is not None and time.monotonic() < deadline:
            self._closing.wait(0.2)
        self._closing.set()
        self._wake.set()
        self._thread.join(10.0)
        set_api_log_sink(None)
        # Also where the server answers now: it may be gone before the events are sent.
        leave = threading.Timer(LEAVE_AFTER, os._exit, [1])
        leave.daemon = True
        leave.start()

    def _watch(self) -> None:
        with impatient_client() as client:
            while not (self._closing.is_set() or self._over):
                self._try(client)
                self._wake.wait(LOOK_EVERY)
                self._wake.clear()
            with self._lock:
                self._questions.clear()
                self._paused = ""
            self._try(client)

    def _try(self, client: SyncPrefectClient) -> None:
        try:
            if not self._over:
                self._look(client)
            self._hand_in_lines(client)
            self._misses, self._away = 0, None
        except ObjectNotFound:
            log.warning("the flow run is gone from Prefect; the campaign goes on")
            self._over, self._away = True, None
        except httpx.HTTPError as error:
            self._misses += 1  # a busy server says 503 now and then
            lost = isinstance(error, httpx.TransportError) or self._misses > BUSY
            if lost and self._away is None:
                self._away = time.time()
                log.warning("Prefect does not answer (%s); the campaign goes on", error)
        except Exception:  # the view must not end the campaign
            log.warning("the operator's desk in Prefect failed", exc_info=True)

    def _look(self, client: SyncPrefectClient) -> None:
        """Compare what Prefect shows with what it should show, and make it so."""
        state = client.read_flow_run(self._run).state
        if state is None or state.is_cancelling():
            return
        key = (state.is_paused() and state.state_details.pause_key) or ""
        if self._form is not None and key == self._form.key:
            if self._is_wanted(self._form):
                return
            self._form = None
        elif self._form is not None:
            self._hear(self._form, client, resumed=state.is_running())
            self._form = None
        if state.is_paused() and not key.startswith(PREFIX):
            self._say("pause", note=state.message or "")
            with self._lock:
                self._paused = self._paused or "in the Prefect UI"
        if state.is_cancelled():
            self._say("stop", note="the flow run was set to Cancelled")
            self._over = True
            return
        if not state.is_running():
            self._set(client, Running())
        if not self._closing.is_set():
            self._show(client)

    def _hand_in_lines(self, client: SyncPrefectClient) -> None:
        """Pass the log lines on that have come together since the last look."""
        while self._lines:
            batch = [dict(line) for line in list(self._lines)[:200]]
            for line in batch:
                line.pop("__payload_size__", None)
            client.create_logs(batch)
            for _ in batch:
                self._lines.popleft()

    def _is_wanted(self, form: Form) -> bool:
        with self._lock:
            if form.question is None:
                return bool(self._paused)
            return form.question.id in self._questions and not self._paused

    def _show(self, client: SyncPrefectClient) -> None:
        """Show the form that is due: a pause before questions, one at a time."""
        now = time.monotonic()
        with self._lock:
            why = self._paused
            due = (
                one
                for one in self._questions.values()
                if self._put_off.get(one.id, 0.0) <= now
            )
            question = None if why else next(due, None)
        if why or question is not None:
            form = Form.new(question)
            form.save(self._run, why)
            if self._set(client, form.state(why)):
                self._form = form

    def _hear(self, form: Form, client: SyncPrefectClient, *, resumed: bool) -> None:
        """Take down what was filled in when a form was left."""
        response = form.response(client, self._run)
        if response is None:
            # Running without a form filled in: a state set by hand, a plain "go on".
            if form.question is None and resumed and self._is_wanted(form):
                self.resumed()
                self._say("resume")
            return
        who, note = response.get("who", "").strip(), response.get("note", "")
        choice = response.get("decision") or response.get("campaign", "")
        if form.question is None:
            self.resumed()
        elif response["answer"] == LATER:
            self._put_off[form.question.id] = time.monotonic() + ASK_AGAIN
        else:
            self.withdraw(form.question.id)
            self._say("answer", form.question.id, response["answer"], who, note)
        if choice in VERBS:
            self._say(VERBS[choice], who=who, note=note)
        if VERBS.get(choice) == "pause":
            self.paused(f"by {who}" if who else "")

    def _say(
        self,
        verb: str,
        question: str = "",
        answer: str = "",
        who: str = "",
        note: str = "",
    ) -> None:
        said = Said(verb, time.time(), question, answer, who or VIA, note)
        with self._lock:
            self._said.append(said)

    def _set(self, client: SyncPrefectClient, state: State) -> bool:
        """Set the flow run's state; force Running, which is true, where rules forbid it."""
        answer = client.set_flow_run_state(self._run, state)
        if answer.status is not SetStateStatus.ACCEPT and state.is_running():
            answer = client.set_flow_run_state(self._run, state, force=True)
        return answer.status is SetStateStatus.ACCEPT


def _never_suspend(noticed: threading.Event) -> None:
    """Keep Prefect from ending the flow when somebody presses *Suspend*.

    Prefect 3.8.8 would raise `Pause` in the flow's body at its next task and leave the
    acts alone. The campaign pauses by its own rules instead; the desk is woken.
    """
    context = FlowRunContext.get()
    if context is not None:
        request = context.flow_run_suspension_request

        def mark_requested(state: State) -> None:  # noqa: ARG001
            noticed.set()

        request.mark_requested = mark_requested  # type: ignore[method-assign]
