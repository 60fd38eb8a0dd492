"""What can go wrong with an instrument on purpose: rules, and which of them fires.

A rule names an instrument, a kind and the messages it is about. `Faults` only decides;
what a kind does to bytes is in `sims.cable`, what it does to an instrument in its panel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sims import spec as checks
from sims.spec import BadBench

if TYPE_CHECKING:
    from sims.bench import Bench
    from sims.panel import Panel

KINDS: Mapping[str, str] = {
    "drop": "the message is lost on the wire",
    "delay": "it arrives `seconds` late, and everything behind it as well",
    "garble": "some of its bytes become others",
    "truncate": "its end is lost",
    "duplicate": "it arrives twice",
    "wrong_checksum": "its checksum is wrong",
    "echo": "the instrument sends the command back before it answers",
    "stale_reply": "the instrument says again what it said last, instead of the answer",
    "disconnect": "the port vanishes, and comes back after `seconds`",
    "busy": "the instrument does not get ready again until it is told to stop",
    "refuse": "the instrument says no, and does not do it",
    "device_fault": "the instrument reports that it is broken, or falls silent",
    "power_cycle": "the instrument is without power for `seconds`, and forgets",
}
SIDED = {
    *("drop", "delay", "garble", "truncate", "duplicate"),
    *("wrong_checksum", "disconnect"),
}
"""Kinds that hit the command or the reply; the others are what an instrument does."""
TIMED = {"delay", "disconnect", "power_cycle"}
SIDES = ("command", "reply")
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FaultRule:
    r"""One thing that goes wrong.

    Parameters
    ----------
    instrument:
        Its name in the bench file.
    kind:
        One of `KINDS`.
    command:
        A regular expression for the whole of a message to the instrument, without what
        frames it: ``A\d+R`` for a pump, ``START_1`` for a hotplate. Default: any.
    chance:
        How likely it is each time, from 0 to 1.
    times:
        How often it happens at most.
    after:
        How many such messages pass unharmed before.
    seconds:
        Bench seconds of a delay, or without port or power.
    side:
        Whether it hits the command or the reply.
    """

    instrument: str
    kind: str
    command: str = ".*"
    chance: float = 1.0
    times: int = 1
    after: int = 0
    seconds: float = SECONDS
    side: str = "reply"


@dataclass(slots=True)
class Stated:
    """A rule, the messages it was about so far, and how often it fired."""

    rule: FaultRule
    seen: int = 0
    fired: int = 0

    def passes(self, text: str) -> bool:
        """Return whether it has nothing to do with this message, and count it."""
        if re.fullmatch(self.rule.command, text, re.DOTALL) is None:
            return True
        self.seen += 1
        return self.seen <= self.rule.after or self.fired >= self.rule.times


class Faults:
    """The rules of a bench, by where they were stated."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.stated: dict[str, list[Stated]] = {}

    def state(self, source: str, rules: Iterable[FaultRule]) -> None:
        """Have these rules instead of those that this source stated before."""
        self.stated[source] = [Stated(rule) for rule in rules]

    def recall(self, before: Mapping[str, list[Stated]]) -> None:
        """Go on counting where another life of the bench stopped, rule by rule."""
        for source, rules in before.items():
            now = self.stated.get(source, [])
            for index, (old, new) in enumerate(zip(rules, now, strict=False)):
                if old.rule == new.rule:
                    now[index] = old

    def about(self, instrument: str) -> list[Stated]:
        """Return what is stated about an instrument."""
        stated = (one for rules in self.stated.values() for one in rules)
        return [one for one in stated if one.rule.instrument == instrument]

    def choose(self, instrument: str, text: str) -> Stated | None:
        """Return the first rule that fires on a message, and count it as fired."""
        chosen = None
        for one in self.about(instrument):
            if one.passes(text) or chosen is not None:
                continue
            # Asked for each time: a bench that is switched on again goes on with the
            # chance of its former life.
            rng = self.bench.rng(f"faults {instrument}")
            if one.rule.chance >= 1.0 or rng.random() < one.rule.chance:
                chosen = one
                one.fired += 1
        return chosen


def applicable(panel: type[Panel]) -> frozenset[str]:
    """Return the kinds that can exist for a panel."""
    return panel.kinds


def read_rules(
    entries: Any, where: str, instruments: Mapping[str, Panel]
) -> list[FaultRule]:
    """Return the rules of a list, or refuse it with place, value and rule."""
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise BadBench(f"{where}: expected a list of faults, got {entries!r}")
    return [
        read_rule(entry, f"{where}[{index}]", instruments)
        for index, entry in enumerate(entries)
    ]


def read_rule(entry: Any, where: str, instruments: Mapping[str, Panel]) -> FaultRule:
    """Return one rule."""
    keys = checks.mapping(entry, where)
    known = [field.name for field in fields(FaultRule)]
    for key in keys:
        if key not in known:
            raise BadBench(f"{where}.{key}: not one of {', '.join(known)}")
    name = checks.text(keys.get("instrument"), f"{where}.instrument")
    if name not in instruments:
        listed = ", ".join(instruments)
        raise BadBench(f"{where}.instrument: {name!r} is not one of {listed}")
    kind = checks.text(keys.get("kind"), f"{where}.kind")
    _check_kind(kind, f"{where}.kind", instruments[name])
    chance = checks.number(keys.get("chance", 1.0), f"{where}.chance", 0.0)
    if chance > 1.0:
        raise BadBench(f"{where}.chance: {chance} is above 1")
    return FaultRule(
        instrument=name,
        kind=kind,
        command=_pattern(keys.get("command", ".*"), f"{where}.command"),
        chance=chance,
        times=_whole(keys.get("times", 1), f"{where}.times", 1),
        after=_whole(keys.get("after", 0), f"{where}.after", 0),
        seconds=_seconds(keys, kind, f"{where}.seconds"),
        side=_side(keys, kind, f"{where}.side", instruments[name]),
    )


def read_file(path: Path, instruments: Mapping[str, Panel]) -> list[FaultRule]:
    """Return the rules of a JSON file."""
    try:
        entries = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise BadBench(f"{path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise BadBench(f"{path}: not JSON: {problem}") from problem
    return read_rules(entries, path.name, instruments)


def _check_kind(kind: str, where: str, panel: Panel) -> None:
    if kind not in KINDS:
        raise BadBench(f"{where}: {kind!r} is not one of {', '.join(KINDS)}")
    kinds = applicable(type(panel))
    if kind not in kinds:
        dialect = type(panel).__module__.rpartition(".")[2]
        possible = ", ".join(one for one in KINDS if one in kinds)
        raise BadBench(
            f"{where}: {kind!r} is not applicable to a {dialect}; these are: {possible}"
        )


def _pattern(value: Any, where: str) -> str:
    text = checks.text(value, where)
    try:
        re.compile(text)
    except re.error as problem:
        rule = f"{text!r} is not a regular expression: {problem}"
        raise BadBench(f"{where}: {rule}") from problem
    return text


def _whole(value: Any, where: str, low: int) -> int:
    if checks.number(value, where, low) != int(value):
        raise BadBench(f"{where}: {value} is not a whole number")
    return int(value)


def _seconds(keys: Mapping[str, Any], kind: str, where: str) -> float:
    if "seconds" in keys and kind not in TIMED:
        timed = ", ".join(sorted(TIMED))
        raise BadBench(f"{where}: {kind!r} takes no time; these do: {timed}")
    return checks.number(keys.get("seconds", SECONDS), where, 0.0)


def _side(keys: Mapping[str, Any], kind: str, where: str, panel: Panel) -> str:
    side = keys.get("side", "reply")
    if side not in SIDES:
        raise BadBench(f"{where}: {side!r} is not one of {', '.join(SIDES)}")
    if "side" in keys and kind not in SIDED:
        sided = ", ".join(sorted(SIDED))
        raise BadBench(f"{where}: {kind!r} has no side; these do: {sided}")
    if side == "command" and not panel.has_wire:
        raise BadBench(f"{where}: {side!r} needs a wire, and there is none")
    return str(side)


class FaultFile:
    """The rules that a running bench is told: a JSON file that may come and change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] = ()

    def changed(self) -> bool:
        """Return whether it is another file than at the last look, or none any more."""
        try:
            about = self.path.stat()
        except OSError:
            stamp: tuple[int, ...] = ()
        else:
            stamp = about.st_mtime_ns, about.st_size, about.st_ino
        before, self._stamp = self._stamp, stamp
        return stamp != before

    def read(self, instruments: Mapping[str, Panel]) -> list[FaultRule]:
        """Return its rules; none where there is no file."""
        return read_file(self.path, instruments) if self._stamp else []
