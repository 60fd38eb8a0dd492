"""What a person wants of a campaign, written into its ledger; the flow follows it.

The ledger is the way in also when nobody is there to follow: an answer that was given
while a campaign was stopped is taken when it goes on. Who and when is always recorded.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.campaign import ANSWERS, Progress
from orchestrator.config.strict_yaml import near
from orchestrator.errors import Refused
from orchestrator.fold import fold
from orchestrator.ledger import Ledger

COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a command is about: the campaign, a station or sample of it, or the lab."""

    kind: str = "campaign"
    name: str = ""


def tell(
    ledger: Ledger,
    campaign: str,
    verb: str,
    subject: Subject,
    *,
    who: str,
    via: str = COMMAND_LINE,
    note: str = "",
) -> None:
    """Write down what a person wants."""
    data = {
        "verb": verb,
        "subject": subject.kind,
        "name": subject.name,
        "who": who,
        "via": via,
        "note": note,
    }
    ledger.append(campaign, "control", data=data)


def answer(
    ledger: Ledger,
    campaign: str,
    question: str,
    text: str,
    *,
    who: str,
    via: str = COMMAND_LINE,
    note: str = "",
) -> None:
    """Write down a person's answer.

    Raises
    ------
    Refused
        If nobody asked that, it was answered already, or the answer is not one of
        `ANSWERS`.
    """
    progress = fold(ledger.events(campaign))
    asked = progress.questions
    if question not in asked:
        open_ = [one.id for one in asked.values() if not one.answer]
        raise Refused(f"{question}: no such open question: {near(question, open_)}")
    if asked[question].answer:
        one = asked[question]
        raise Refused(f"{question}: {one.who} answered it already: {one.answer}")
    if text not in ANSWERS:
        raise Refused(f"{question}: {text}: must be one of {', '.join(ANSWERS)}")
    ledger.append(
        campaign,
        "question.answered",
        trial=asked[question].act.trial,
        data={
            "question": question,
            "answer": text,
            "who": who,
            "via": via,
            "note": note,
        },
    )


def sample_of(progress: Progress, name: str) -> Subject:
    """Return a sample in flight, named in full, by its rack slot or by its trial.

    Raises
    ------
    Refused
        If no trial in flight has such a sample.
    """
    for trial in progress.in_flight:
        if name in (trial.sample, trial.home, trial.id):
            return Subject("sample", trial.sample)
    known = [trial.home for trial in progress.in_flight]
    raise Refused(f"sample {name}: not in flight: {near(name, known)}")


def note_stop(data: Path, verb: str, who: str) -> None:
    """Write an emergency stop, or its end, into the ledger of the latest campaign.

    After the instruments were told: the record must not cost any of their second.
    """
    try:
        ledger = Ledger.of(data)
    except Refused:  # no campaign ran here yet
        return
    try:
        if names := ledger.campaigns():
            tell(ledger, names[-1], verb, Subject("lab"), who=who)
    finally:
        ledger.close()


@contextmanager
def running(data: Path, campaign: str) -> Iterator[None]:
    """Hold the lock that says that a campaign is being carried out.

    Raises
    ------
    Refused
        If another process is carrying it out.
    """
    path = _lock(data, campaign)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"{campaign}: is being carried out already") from None
        yield


def is_running(data: Path, campaign: str) -> bool:
    """Whether a process is carrying a campaign out."""
    try:
        with _lock(data, campaign).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock(data: Path, campaign: str) -> Path:
    return data / "campaigns" / campaign / "running"
