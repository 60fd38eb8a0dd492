"""What the panels of all SCPI instruments share.

Commands wait in the input buffer while one takes its time; the answers of one message
are joined by ``;`` and end with one terminator; an error goes to the queue and takes
with it the rest of its message. ^C and ^X abort what is pending, on RS-232.
"""

from __future__ import annotations

import inspect
import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from sims.panel import Message, Panel, cut_lines
from sims.scpi import Command, Errors, ScpiError, commands, header_pattern, number
from sims.scpi_settings import Setting, Value

if TYPE_CHECKING:
    from sims.bench import Bench


@dataclass(frozen=True, slots=True)
class Takes:
    """An answer that is there only after some bench seconds."""

    seconds: float
    answer: Callable[[], str | None]


Reply = str | Takes | None
Action = Callable[..., Reply]

OPERATION_COMPLETE, QUERY_ERROR, DEVICE_ERROR, EXECUTION_ERROR, COMMAND_ERROR = (
    1,
    4,
    8,
    16,
    32,
)
POWER_ON = 128
ABORT = re.compile(rb"[\x03\x18]")
LONGEST_LINE = 4096
HANG, REFUSE = (Command(f"\0{word}", query=False, parameters=()) for word in "hr")
"""What no client can say: a command that never ends, and one that is out of range."""


class ScpiPanel(Panel):
    """A panel that reads messages and looks its commands up in a table.

    A subclass fills `table`: header (with ``?`` for a query) → method. The method gets
    the parameters as text; it returns the answer, nothing, or `Takes`.
    """

    identity: str
    no_error: ClassVar[str] = '0,"No error"'
    plus: ClassVar[str] = ""
    """What stands before a positive error number."""
    extra_errors: ClassVar[Mapping[int, str]] = {}
    aborts: ClassVar[bool] = True
    fault_code: ClassVar[int] = -240
    """The error of a broken instrument."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = float(settings.get("baud", 9600.0))
        self.errors = Errors(self.extra_errors)
        self._bytes = b""
        self._units: deque[Command | str] = deque()
        self._answers: list[str] = []
        self._waiting: object | None = None
        self.broken = False
        self._events = POWER_ON
        self._masks = {"*ESE": 0, "*SRE": 0}
        self._table: list[tuple[re.Pattern[str], bool, Action]] = []
        self._settings: list[Setting] = []
        self.values: dict[str, Any] = {}
        self.add(
            {
                "*IDN?": lambda: self.identity,
                "*RST": self.reset,
                "*CLS": self._clear,
                "*ESR?": self._read_events,
                "*ESE": lambda text: self._set_mask("*ESE", text),
                "*ESE?": lambda: str(self._masks["*ESE"]),
                "*SRE": lambda text: self._set_mask("*SRE", text),
                "*SRE?": lambda: str(self._masks["*SRE"]),
                "*STB?": lambda: str(self.status_byte()),
                "*OPC": self._complete,
                "*OPC?": self.completed,
                "*TST?": lambda: "0",
                "*WAI": lambda: None,
                ":SYSTem:ERRor[:NEXT]?": self._next_error,
                ":SYSTem:VERSion?": lambda: "1996.0",
                ":STATus:QUEue[:NEXT]?": self._next_error,
                ":STATus:QUEue:CLEar": self.errors.clear,
                ":STATus:PRESet": lambda: None,
            }
        )

    def add(self, table: Mapping[str, Action]) -> None:
        """Learn more commands."""
        for header, action in table.items():
            self._table.append(
                (header_pattern(header.removesuffix("?")), header[-1] == "?", action)
            )

    def keep(self, settings: Iterable[Setting]) -> None:
        """Learn settings: a header to set each, and the same as a question."""
        for setting in settings:
            self._settings.append(setting)
            self.values[setting.key] = setting.default
            self.add(
                {
                    setting.header: partial(self._set, setting),
                    setting.header + "?": partial(self._tell, setting),
                }
            )

    def _set(self, setting: Setting, text: str) -> None:
        value = setting.read(text)
        self.check(setting.key, value)
        self.values[setting.key] = value
        self.changed(setting.key)

    def _tell(self, setting: Setting, which: str = "") -> str:
        if not which:
            return setting.show(self.values[setting.key])
        if setting.limits is None:
            raise ScpiError(-108)
        return setting.show(number(which, *setting.limits, float(setting.default)))

    def check(self, key: str, value: Value) -> None:
        """Refuse a value that conflicts with others, by raising `ScpiError`."""

    def changed(self, key: str) -> None:
        """Follow a setting that has just been set."""

    def reset(self) -> Reply:
        """Do *RST."""
        for setting in self._settings:
            self.values[setting.key] = setting.default
        return None

    def abort(self) -> None:
        """Do what ^C does beside the wire."""

    def status_byte(self) -> int:
        """Return the status byte: bit 2 errors, bit 5 events, bit 6 request."""
        byte = 4 * bool(len(self.errors)) + 32 * bool(
            self._events & self._masks["*ESE"]
        )
        return byte | 64 * bool(byte & self._masks["*SRE"])

    # -- the wire ------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        if self.aborts:
            *aborted, data = ABORT.split(data)
            if aborted:
                self._abort()
        *lines, self._bytes = re.split(rb"[\r\n]", self._bytes + data)
        self._bytes = self._bytes[-LONGEST_LINE:]
        for line in lines:
            message = line.decode("ascii", "replace").strip()
            if message:
                self._enqueue(commands(message))
        self._run()

    def _enqueue(self, units: Iterable[Command]) -> None:
        """Have the commands of one message wait for their turn."""
        self._units.extend(units)
        self._units.append("end")
        self.asked += 1

    # -- faults --------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        """Have each line be a message, and each ^C; that takes back what is before."""
        messages: list[Message] = []
        while self.aborts and (found := ABORT.search(data)) is not None:
            messages += cut_lines(data[: found.start()])[0]
            messages.append(Message(found[0], found[0].decode("ascii")))
            data = data[found.end() :]
        lines, rest = cut_lines(data)
        return messages + lines, rest

    def hang(self, data: bytes) -> None:
        """Never come to an end with this message, nor to those behind it; ^C helps."""
        self._enqueue((HANG,))
        self._run()

    def refuse(self, data: bytes) -> None:
        """Find a parameter out of range: an error in the queue, and no answer."""
        self._enqueue((REFUSE,))
        self._run()

    def break_down(self, data: bytes) -> None:
        """Put an error into the queue, and do no more what needs the broken part."""
        self.broken = True
        self._abort()
        self._refuse(self.fault_code)
        self.note("broken", error=self.fault_code)

    def lose_power(self) -> None:
        self._abort()
        self._clear()
        self.broken = False
        self._events = POWER_ON
        self._masks = dict.fromkeys(self._masks, 0)
        self.reset()
        self.note("power lost")

    def device_clear(self) -> None:
        """Take back what is pending, as a GPIB bus can demand."""
        self._abort()

    def check_whole(self) -> None:
        """Refuse what a broken instrument cannot do."""
        if self.broken:
            raise ScpiError(self.fault_code)

    def _abort(self) -> None:
        self._bytes = b""
        self._units.clear()
        self._answers.clear()
        self._waiting = None
        self.answered = self.asked
        self.abort()

    def _run(self) -> None:
        """Work through the input buffer until it is empty or something takes time."""
        while self._units and self._waiting is None:
            unit = self._units.popleft()
            if isinstance(unit, str):
                if self._answers:
                    self.say((";".join(self._answers) + "\n").encode("ascii"))
                    self._answers.clear()
                self.answered += 1
                continue
            try:
                reply = self._do(unit)
                if isinstance(reply, Takes):
                    self._wait(reply)
                else:
                    self._keep(reply)
            except ScpiError as error:
                self._refuse(error.code)

    def _wait(self, reply: Takes) -> None:
        token = self._waiting = object()

        def ready() -> None:
            if self._waiting is token:
                self._waiting = None
                try:
                    self._keep(reply.answer())
                except ScpiError as error:
                    self._refuse(error.code)
                self._run()

        self.later(reply.seconds, ready)

    def _keep(self, answer: Reply) -> None:
        if isinstance(answer, str):
            self._answers.append(answer)

    def _refuse(self, code: int) -> None:
        """Queue an error, and drop what is left of its message."""
        self.errors.put(code)
        kinds = {1: COMMAND_ERROR, 2: EXECUTION_ERROR, 3: DEVICE_ERROR, 4: QUERY_ERROR}
        self._events |= kinds.get(-code // 100, DEVICE_ERROR)
        while self._units and not isinstance(self._units[0], str):
            self._units.popleft()

    def _do(self, command: Command) -> Reply:
        if command is HANG:
            return Takes(math.inf, lambda: None)
        if command is REFUSE:
            raise ScpiError(-222)
        for pattern, query, action in self._table:
            if query == command.query and pattern.fullmatch(command.header):
                return call(action, command.parameters)
        raise ScpiError(-113)

    # -- common commands -----------------------------------------------------------

    def _clear(self) -> None:
        self.errors.clear()
        self._events = 0

    def _read_events(self) -> str:
        events, self._events = self._events, 0
        return str(events)

    def _complete(self) -> None:
        self._events |= OPERATION_COMPLETE

    def completed(self) -> Reply:
        """Answer *OPC?, when what goes on beside the answers has ended."""
        return "1"

    def _set_mask(self, name: str, text: str) -> None:
        self._masks[name] = int(number(text, 0, 255))

    def _next_error(self) -> str:
        code, message = self.errors.pop()
        if code == 0:
            return self.no_error
        return f'{self.plus if code > 0 else ""}{code},"{message}"'


def call(action: Action, parameters: Iterable[str]) -> Reply:
    """Call an action; too many or too few parameters are SCPI errors."""
    given = tuple(parameters)
    least, most = arity(action)
    if len(given) < least:
        raise ScpiError(-109)
    if len(given) > most:
        raise ScpiError(-108)
    return action(*given)


def arity(action: Action) -> tuple[int, float]:
    """Return the least and the most parameters that an action takes."""
    kinds = inspect.signature(action).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in kinds):
        return sum(p.kind is not p.VAR_POSITIONAL for p in kinds), float("inf")
    return sum(p.default is p.empty for p in kinds), len(kinds)
