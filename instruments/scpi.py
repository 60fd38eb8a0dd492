r"""What a computer says to a SCPI instrument: questions, commands, and the error queue.

A refused command is not answered; the refusal waits in the instrument's error queue,
so every configuration ends by reading that queue. Messages end in ``\n`` both ways, and
a question is sent only after the answer to the one before it has been read.

A question changes nothing, so that one whose answer is lost is asked again; the one for
an error takes it from the queue, which is harmless. What is set is read again, and what
then says otherwise is asked once more before it is believed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from instruments.errors import (
    BadReply,
    DeviceError,
    Fault,
    LinkTimeout,
    Rejected,
    WrongModel,
)
from instruments.framing import plain
from instruments.link import SILENCE, Identity, Link

END = b"\n"
ANSWERING = 1.0
"""Real seconds for an answer that is not a reading; *IDN? at 4800 baud takes 0.2 s."""
MOST_ERRORS = 32
HARDWARE = frozenset({-240, -241, -330})
"""Errors that say that the instrument is broken: hardware, its absence, a self-test."""
ANSWER_LOST = frozenset({-410, -420})
"""Query errors: not a command was refused, but an answer got lost on its way."""
Value = TypeVar("Value")
_ERROR = re.compile(r'([+-]?\d+),"([^"]*)"')


def scpi_link(port: str, baudrate: int, name: str) -> Link:
    """Return a link, not yet open, that waits as long as such an instrument needs."""
    return Link(
        port, baudrate=baudrate, timeout=ANSWERING, quiet=ANSWERING / 2, name=name
    )


class Scpi:
    """Words on a link; no threads.

    Parameters
    ----------
    link:
        The cable.
    error:
        The question that takes one error from the queue.
    faults:
        What its manual numbers as trouble with the hardware, beside `HARDWARE`; every
        other error is a refusal.
    """

    def __init__(
        self, link: Link, *, error: str = ":SYST:ERR?", faults: Iterable[int] = ()
    ) -> None:
        self.link = link
        self._faults = HARDWARE | frozenset(faults)
        self.place = link.place
        self._error = error

    def ask(self, question: str, *, timeout: float | None = None) -> str:
        """Return the answer to a question.

        Raises
        ------
        Rejected
            If there is no answer because the instrument refused the question; says
            what is in its error queue.
        """
        return self._asked(question, lambda answer: answer, timeout)

    def tell(self, command: str, *, urgent: bool = False) -> None:
        """Send a command that is not answered."""
        self.link.tell(plain(command, place=self.place) + END, urgent=urgent)

    def number(self, question: str, *, timeout: float | None = None) -> float:
        """Return the one number that a question is answered with."""
        (value,) = self.numbers(question, 1, timeout=timeout)
        return value

    def numbers(
        self, question: str, count: int, *, timeout: float | None = None
    ) -> list[float]:
        """Return the numbers that a question is answered with.

        9.9E37 is a number here: whoever asks knows what it stands for.
        """

        def read(answer: str) -> list[float]:
            try:
                values = [float(word) for word in answer.split(",")]
            except ValueError:
                values = [math.nan]
            if not all(math.isfinite(value) for value in values):
                raise BadReply(
                    f"{self.place}: {question!r} answered {answer!r}: not numbers"
                )
            if len(values) != count:
                raise BadReply(
                    f"{self.place}: {question!r} answered {answer!r}: "
                    f"{len(values)} numbers, not {count}"
                )
            return values

        return self._asked(question, read, timeout)

    def says(self, question: str, wanted: Callable[[str], bool]) -> tuple[bool, str]:
        """Return whether an answer is the wanted one, and the answer.

        An unwanted one may be another question's, come late: it is asked for twice.
        """
        answer = self.ask(question)
        if not wanted(answer):
            self.link.settle(SILENCE)
            answer = self.ask(question)
        return wanted(answer), answer

    def error(self) -> tuple[int, str]:
        """Take one error from the queue; code 0 when there is none."""
        return self.link.again(self._take_error)

    def check(self, what: str, *, cause: Exception | None = None) -> None:
        """Raise `Rejected`, or `Fault`, with what is in the error queue, if anything."""
        found = []
        kind: type[DeviceError] = Rejected
        for _ in range(MOST_ERRORS):
            # After a silence a second one is enough to know that nobody is there.
            code, text = self.error() if cause is None else self._take_error()
            if code == 0:
                break
            if cause is not None and code in ANSWER_LOST:
                continue
            found.append(f'{code:+d},"{text}"')
            kind = Fault if code in self._faults else kind
        if found:
            raise kind(f"{self.place}: {what!r} answered {', '.join(found)}") from cause

    def configure(
        self, commands: Sequence[str], expected: Mapping[str, str] | None = None
    ) -> None:
        """Send commands that may be repeated; read back; read the error queue.

        If an error waits, the commands are sent again one by one until it is known
        which of them is refused.

        Parameters
        ----------
        commands:
            Sent in order.
        expected:
            Questions asked afterwards, and the one answer that is right.

        Raises
        ------
        Rejected
            Naming the command and the error.
        Fault
            If the error is one of the hardware, or the instrument took a setting and says another.
        """
        for command in commands:
            self.tell(command)
        answers = {
            question: self.says(question, wanted.__eq__)
            for question, wanted in (expected or {}).items()
        }
        code, text = self.error()
        if code:
            self.tell("*CLS")
            for command in commands:
                self.tell(command)
                self.check(command)
            raise Rejected(
                f'{self.place}: {code:+d},"{text}" after {", ".join(commands)}; '
                f"none of them was refused when sent again"
            )
        for question, wanted in (expected or {}).items():
            right, answer = answers[question]
            if not right:
                raise Fault(
                    f"{self.place}: {question!r} answered {answer!r}, "
                    f"not {wanted!r} as it was set"
                )

    def identity(self, model: str) -> Identity:
        """Ask who is there.

        Parameters
        ----------
        model:
            How the second of the four words of ``*IDN?`` must begin.
        """

        def once() -> Identity:
            answer = self._ask("*IDN?", None)
            words = [word.strip() for word in answer.split(",", 3)]
            if len(words) != 4 or not words[1].startswith(model):
                raise BadReply(f"{self.place}: '*IDN?' answered {answer!r}")
            return Identity(*words)

        try:
            return self.link.again(once)
        except BadReply as other:
            raise WrongModel(f"{other}; the lab file promises {model!r}") from other

    def _asked(
        self, question: str, read: Callable[[str], Value], timeout: float | None
    ) -> Value:
        """Ask, and again; a question that is refused is not asked again."""

        def once() -> Value:
            try:
                answer = self._ask(question, timeout)
            except LinkTimeout as silence:
                self.check(question, cause=silence)
                raise
            if not (answer.isascii() and answer.isprintable()):
                raise BadReply(
                    f"{self.place}: {question!r} answered {answer!r}: not text"
                )
            return read(answer)

        return self.link.again(once)

    def _take_error(self) -> tuple[int, str]:
        answer = self._ask(self._error, None)
        match = _ERROR.fullmatch(answer.strip())
        if match is None:
            raise BadReply(
                f"{self.place}: {self._error!r} answered {answer!r}, "
                'not <code>,"<text>"'
            )
        return int(match[1]), match[2]

    def _ask(self, question: str, timeout: float | None) -> str:
        message = plain(question, place=self.place) + END
        answer = self.link.ask(message, end=END, timeout=timeout)
        return answer.rstrip(b"\r").decode("latin-1")
