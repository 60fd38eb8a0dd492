"""The forms that Prefect shows a person who presses *Resume* on a flow run.

A form is three inputs of a flow run (schema, description, response) and a paused state
that names them. Prefect checks an answer against the schema before it takes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, StateDetails
from prefect.exceptions import PrefectHTTPStatusError
from prefect.input import RunInput
from prefect.input.run_input import keyset_from_base_key
from prefect.states import Paused
from pydantic import Field

PREFIX = "polyloop-"
"""How the key of every pause of ours begins; a pause that a person made has another."""

Answer = Literal["it happened", "it did not", "discard the sample", "ask again later"]
LATER = "ask again later"

VERBS = {
    "resume": "resume",
    "pause": "pause",
    "drain": "drain",
    "stop safely": "stop",
    "emergency stop": "estop",
}
"""What a person may choose for the campaign, and the verb of it in the ledger."""


@dataclass(frozen=True, slots=True)
class Question:
    """What only a person can tell: whether an act happened to a sample at a station."""

    id: str
    text: str
    sample: str = ""
    station: str = ""


class AnswerForm(RunInput):
    """Asks whether an act happened."""

    answer: Answer = Field(title="What happened?")
    who: str = Field(title="Your name", min_length=1)
    note: str = Field("", title="Note for the record")
    campaign: Literal["go on", "pause", "drain", "stop safely", "emergency stop"] = (
        Field("go on", title="And the campaign")
    )


class DecisionForm(RunInput):
    """Asks how a paused campaign goes on."""

    decision: Literal["resume", "drain", "stop safely", "emergency stop"] = Field(
        title="How does the campaign go on?"
    )
    who: str = Field(title="Your name", min_length=1)
    note: str = Field("", title="Note for the record")


@dataclass(frozen=True, slots=True)
class Form:
    """A form that is shown: the key of its pause, and the question if it asks one."""

    key: str
    question: Question | None

    @classmethod
    def new(cls, question: Question | None) -> Form:
        """Return a form that has not been shown before; keys are used once."""
        return cls(f"{PREFIX}{uuid4().hex[:12]}", question)

    def save(self, run: UUID, why: str) -> None:
        """Put the form's schema and text where Prefect looks for them."""
        kind: type[RunInput] = DecisionForm if self.question is None else AnswerForm
        text = f"The campaign is paused {why}." if self.question is None else ""
        if self.question is not None:
            place = [
                f"**{name}:** {value}"
                for name, value in (
                    ("sample", self.question.sample),
                    ("station", self.question.station),
                )
                if value
            ]
            text = "\n\n".join([self.question.text, " · ".join(place)]).strip()
        kind.with_initial_data(description=text).save(
            keyset_from_base_key(self.key), flow_run_id=run
        )

    def state(self, why: str) -> State:
        """Return the paused state that shows the form; it never expires."""
        return Paused(
            name="Paused" if self.question is None else "Question",
            message=why if self.question is None else self.question.text,
            pause_key=self.key,
            state_details=StateDetails(
                run_input_keyset={
                    str(one): key for one, key in keyset_from_base_key(self.key).items()
                }
            ),
        )

    def response(self, client: SyncPrefectClient, run: UUID) -> dict[str, str] | None:
        """Return what a person filled in, or nothing while there is no answer."""
        key = keyset_from_base_key(self.key)["response"]
        try:
            answer: dict[str, str] = json.loads(client.read_flow_run_input(run, key))
        except PrefectHTTPStatusError as error:
            if error.response.status_code == 404:
                return None
            raise
        return answer
