r"""What a computer says to a SCPI instrument: questions, commands, and the error queue.

A refused command is not answered; the refusal waits in the instrument's error queue,
so every configuration ends by reading that queue. Messages end in ``\n`` both ways, and
a question is sent only after the answer to the one before it has been read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from instruments.errors import BadReply, Fault, LinkTimeout, Rejected, WrongModel
from instruments.framing import plain
from instruments.link import Identity, Link

END = b"\n"
MOST_ERRORS = 32
_ERROR = re.compile(r'([+-]?\d+),"([^"]*)"')


class Scpi:
    """Words on a link; no threads.

    Parameters
    ----------
    link:
        The cable.
    error:
        The question that takes one error from the queue.
    """

    def __init__(self, link: Link, *, error: str = ":SYST:ERR?") -> None:
        self.link = link
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
        try:
            answer = self._ask(question, timeout)
        except LinkTimeout as silence:
            self.check(question, cause=silence)
            raise
        if not (answer.isascii() and answer.isprintable()):
            raise BadReply(f"{self.place}: {question!r} answered {answer!r}: not text")
        return answer

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
        answer = self.ask(question, timeout=timeout)
        try:
            values = [float(word) for word in answer.split(",")]
        except ValueError as error:
            raise BadReply(
                f"{self.place}: {question!r} answered {answer!r}: not numbers"
            ) from error
        if len(values) != count:
            raise BadReply(
                f"{self.place}: {question!r} answered {answer!r}: "
                f"{len(values)} numbers, not {count}"
            )
        return values

    def error(self) -> tuple[int, str]:
        """Take one error from the queue; code 0 when there is none."""
        answer = self._ask(self._error, None)
        match = _ERROR.fullmatch(answer.strip())
        if match is None:
            raise BadReply(
                f'{self.place}: {self._error!r} answered {answer!r}, not <code>,"<text>"'
            )
        return int(match[1]), match[2]

    def check(self, what: str, *, cause: Exception | None = None) -> None:
        """Raise `Rejected` naming what was said if the error queue is not empty."""
        found = []
        for _ in range(MOST_ERRORS):
            code, text = self.error()
            if code == 0:
                break
            found.append(f'{code:+d},"{text}"')
        if found:
            raise Rejected(
                f"{self.place}: {what!r} answered {', '.join(found)}"
            ) from cause

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
            If the instrument took a setting and says another.
        """
        for command in commands:
            self.tell(command)
        answers = {question: self.ask(question) for question in expected or {}}
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
            if answers[question] != wanted:
                raise Fault(
                    f"{self.place}: {question!r} answered {answers[question]!r}, "
                    f"not {wanted!r} as it was set"
                )

    def identity(self, model: str) -> Identity:
        """Ask who is there.

        Parameters
        ----------
        model:
            How the second of the four words of ``*IDN?`` must begin.
        """
        answer = self._ask("*IDN?", None)
        words = [word.strip() for word in answer.split(",", 3)]
        if len(words) != 4 or not words[1].startswith(model):
            raise WrongModel(
                f"{self.place}: '*IDN?' answered {answer!r}; the lab file promises "
                f"{model!r}"
            )
        return Identity(*words)

    def _ask(self, question: str, timeout: float | None) -> str:
        message = plain(question, place=self.place) + END
        answer = self.link.ask(message, end=END, timeout=timeout)
        return answer.rstrip(b"\r").decode("latin-1")
