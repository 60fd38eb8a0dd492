"""The commands of a person who is in control: pause, drain, discard, stop, answer."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.errors import PolyloopError, Refused
from orchestrator.person import me

if TYPE_CHECKING:
    from orchestrator.control import Subject
    from orchestrator.ledger import Ledger

console = Console()

Data = Annotated[
    Path, typer.Option("--data", help="Where ledger, documents and reports are kept.")
]
Id = Annotated[
    str, typer.Argument(help="The campaign's id, as `polyloop status` prints it.")
]
Who = Annotated[str, typer.Option(help="Your name, for the record; else your login.")]
Note = Annotated[str, typer.Option(help="Why, for the record.")]
StationName = Annotated[str, typer.Option("--station", help="Only this station.")]
SampleName = Annotated[
    str,
    typer.Option("--sample", help="Only this sample (its rack slot, or its trial)."),
]
DATA = Path("polyloop-data")


def pause(
    campaign: Id,
    station: StationName = "",
    sample: SampleName = "",
    who: Who = "",
    note: Note = "",
    data: Data = DATA,
) -> None:
    """Start nothing new until it is resumed; what is under way ends, acid is rinsed off."""
    _tell("pause", campaign, station, sample, who, note, data)


def drain(
    campaign: Id,
    station: StationName = "",
    who: Who = "",
    note: Note = "",
    data: Data = DATA,
) -> None:
    """End what has begun and begin no more; a station then is out of service."""
    _tell("drain", campaign, station, "", who, note, data)


def discard(
    campaign: Id, sample: str, who: Who = "", note: Note = "", data: Data = DATA
) -> None:
    """Put a sample away; its trial starts again on a new substrate."""
    _tell("discard", campaign, "", sample, who, note, data)


def inbox(
    campaign: Annotated[str | None, typer.Argument()] = None, data: Data = DATA
) -> None:
    """List the questions that wait for a person (of the latest campaign, or one named)."""
    from orchestrator.campaign import ANSWERS
    from orchestrator.fold import fold
    from orchestrator.ledger import Ledger

    ledger = Ledger.of(data)
    name = ledger.find(campaign)
    asked = [
        one for one in fold(ledger.events(name)).questions.values() if not one.answer
    ]
    if not asked:
        console.print(f"{name}: nothing waits for an answer")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("question", "trial", "what"):
        table.add_column(column, overflow="fold")
    for one in asked:
        table.add_row(one.id, one.act.trial, one.text)
    console.print(table)
    console.print(f"\npolyloop answer {name} QUESTION {'|'.join(ANSWERS)}")


def answer(
    campaign: Id,
    question: str,
    text: Annotated[str, typer.Argument(metavar="happened|did-not|discard")],
    who: Who = "",
    note: Note = "",
    data: Data = DATA,
) -> None:
    """Answer a question of the inbox; also while the campaign is stopped."""
    from orchestrator import control
    from orchestrator.ledger import Ledger

    ledger = Ledger.of(data)
    name = ledger.find(campaign)
    person = who or me()
    control.answer(ledger, name, question, text, who=person, note=note)
    console.print(f"{question}: {text}, says {person}")


def suggest(
    campaign: Id,
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PARAMETER=VALUE...", help='With units, e.g. dwell="60 s".'
        ),
    ] = None,
    like: Annotated[
        str, typer.Option(metavar="TRIAL", help="Takes all other values from a trial.")
    ] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Also if it was made before.")
    ] = False,
    withdraw: Annotated[
        str,
        typer.Option(metavar="SUGGESTION", help="Have one not made that waits to be."),
    ] = "",
    who: Who = "",
    note: Note = "",
    data: Data = DATA,
) -> None:
    """Have a candidate of your own made next; also while the campaign is stopped."""
    from orchestrator import control, suggesting
    from orchestrator.campaign import by_text
    from orchestrator.ledger import Ledger
    from orchestrator.recipes import parameter_texts

    ledger = Ledger.of(data)
    name = ledger.find(campaign)
    person = who or me()
    if withdraw:
        if values or like or again:
            raise Refused(f"--withdraw {withdraw}: stands alone: it has its values")
        one = suggesting.withdraw(ledger, name, withdraw, who=person, note=note)
        console.print(f"{one.id}: not made, says {person}; suggested {by_text(one)}")
        return
    one, configured = suggesting.suggest(
        *(ledger, data, name, values or []),
        who=person,
        like=like,
        again=again,
        note=note,
    )
    when = "next" if control.is_running(data, name) else "when the campaign goes on"
    texts = [text for _, text in parameter_texts(one.candidate, configured.space)]
    made = f"{one.id}: made {when}, says {person}: {', '.join(texts)}"
    console.print(made, soft_wrap=True, highlight=False)


def estop(who: Who = "", data: Data = DATA) -> None:
    """Put every instrument in its safe state, now; nothing acts until `polyloop clear`."""
    from orchestrator.station.announce import service_of, stop_everything
    from orchestrator.station.estop import Latch

    person = who or me()
    Latch(data).hold(person, "command line")
    service = service_of(data)
    if service is None:
        console.print("latched; no station service runs, so that nothing is told")
        _note("estop", person, data)
        return
    try:
        stop_everything(service["address"], service["key"], person, "command line")
    except OSError as error:
        # It hangs. Ended, it makes everything safe if it can; killed, watchdogs do.
        os.kill(service["pid"], signal.SIGTERM)
        raise PolyloopError(
            f"latched; the station service does not answer ({error}) and was told to "
            "end. PRESS THE HARDWARE EMERGENCY STOP and look at every instrument"
        ) from error
    console.print(
        "every instrument was told to be safe; latched until `polyloop clear`"
    )


def clear(who: Who = "", data: Data = DATA) -> None:
    """Let the instruments act again after an emergency stop."""
    from orchestrator import control
    from orchestrator.station.announce import service_of
    from orchestrator.station.client import StationClient
    from orchestrator.station.estop import Latch

    latch = Latch(data)
    held = latch.held
    if held is None:
        raise Refused(f"{data}: no emergency stop is latched")
    service = service_of(data)
    if service is None:
        latch.clear()
    else:
        client = StationClient(service["address"], service["key"])
        client.clear(who or me(), control.COMMAND_LINE)
        client.close()
    console.print(f"the emergency stop by {held['who']} is cleared")
    _note("clear", who or me(), data)


def _note(verb: str, who: str, data: Path) -> None:
    from orchestrator import control

    control.note_stop(data, verb, who)


def _tell(
    verb: str, campaign: str, station: str, sample: str, who: str, note: str, data: Path
) -> None:
    """Write a command into the ledger of a campaign that is being carried out."""
    from orchestrator import control
    from orchestrator.ledger import Ledger

    ledger = Ledger.of(data)
    name = ledger.find(campaign)
    if not control.is_running(data, name):
        raise Refused(f"{name}: is not being carried out: there is nothing to {verb}")
    subject = subject_of(ledger, name, station, sample, data)
    person = who or me()
    control.tell(ledger, name, verb, subject, who=person, note=note)
    what = subject.name or name
    console.print(f"{what}: {verb}, says {person}")


def subject_of(
    ledger: Ledger, campaign: str, station: str, sample: str, data: Path
) -> Subject:
    """Return what a command is about; refuse a station or sample that is not there."""
    from orchestrator import control
    from orchestrator.config.read_campaign import load_campaign
    from orchestrator.config.strict_yaml import near
    from orchestrator.fold import fold

    if station and sample:
        raise Refused("--station and --sample: name one of them")
    events = ledger.events(campaign)
    if sample:
        return control.sample_of(fold(events), sample)
    if station:
        config = data / events[0].data["config"]
        stations = load_campaign(config, check_drivers=False).lab.stations
        if station not in stations:
            raise Refused(f"station {station}: not here: {near(station, stations)}")
        return control.Subject("station", station)
    return control.Subject()
