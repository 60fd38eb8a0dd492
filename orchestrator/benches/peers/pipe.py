"""The bench's end of the pipe: a peer in its own process, asked as any planner is."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orchestrator
from orchestrator.errors import CampaignFailed
from planners.data import Candidate, Observation, Proposal
from planners.space import Choice, Molecule, Parameter, Real
from planners.table import Table

PEERS = ("baybe", "bofire", "ax", "physbo")
"""Whom `make peers` installs; each is a module ``NAME_peer`` beside this one."""

ENVIRONMENT = Path(".peers")
"""Where, below the checkout."""

PATIENCE = 3600.0
"""Seconds for one answer: a large pool of molecules is described before the first."""


class PeerFailed(CampaignFailed):
    """A peer that died, or answered what no row is; the text says who, where and what."""


def installed() -> bool:
    """Return whether `make peers` has ended well."""
    return (ENVIRONMENT / "installed").is_file()


def command(name: str) -> list[str]:
    """Return what starts a peer."""
    python = ENVIRONMENT / "bin" / "python"
    return [str(python.absolute()), "-m", f"orchestrator.benches.peers.{name}_peer"]


class Peer:
    """A planner behind a pipe; close it when the search ends.

    Parameters
    ----------
    name:
        For messages and the card.
    command:
        What starts it.
    table:
        That is searched.
    seed:
        Given to it with the table.

    Raises
    ------
    PeerFailed
        From `propose`, if there is no answer or it is not what was asked for.
    """

    def __init__(
        self, name: str, command: Sequence[str], table: Table, seed: int
    ) -> None:
        self.name, self.table, self.seed = name, table, seed
        self._number = {c.id: row for row, c in enumerate(table.space.pool)}
        self._asked = 0
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 closed by `close`
        root = Path(orchestrator.__file__).parents[1]
        # One thread: what is compared is processor time.
        more = {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": ""}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env={**os.environ, **more},
            )
        except OSError as error:
            self._said.close()
            raise PeerFailed(f"{self._place()}: cannot be started: {error}") from error
        self._tell(_table(table, seed))

    def propose(
        self,
        n: int,
        *,
        observed: Sequence[Observation],
        pending: Sequence[Candidate] = (),
        failed: Sequence[Candidate] = (),
    ) -> Proposal:
        """Return ``n`` candidates to make next (see `planners.protocol.Planner`)."""
        if pending:
            raise PeerFailed(f"{self._place()}: peers are not told of pending rows")
        self._asked += 1
        objective = self.table.objective
        made = []
        for one in observed:
            value = one.estimates[objective.name].value
            value = math.log10(value) if objective.scale == "log" else value
            made.append((self._number[one.candidate.id], value))
        lost = [self._number[candidate.id] for candidate in failed]
        self._tell({"observed": made, "failed": lost, "n": n})
        answer = self._answer()
        rows: Any = answer.get("rows")
        seconds = answer.get("seconds")
        wrong = self._wrong(rows, n, {*lost, *(row for row, _ in made)})
        if not wrong and not isinstance(seconds, int | float):
            wrong = f"seconds {seconds!r} is not a number"
        if wrong:
            raise PeerFailed(f"{self._place()}: {wrong}")
        card = {"planner": self.name, "seed": self.seed, "seconds": seconds}
        return Proposal(tuple(self.table.space.pool[row] for row in rows), card)

    def close(self) -> None:
        """End the process, whatever it is doing; may be called twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._said.close()

    def _wrong(self, rows: Any, n: int, told: set[int]) -> str:
        """Return what is wrong with an answer; empty if nothing is."""
        if not isinstance(rows, list) or len(rows) != n:
            return f"answered {rows!r}, which must be {n} rows"
        last = len(self.table.values) - 1
        for at, row in enumerate(rows):
            if not isinstance(row, int) or isinstance(row, bool):
                return f"row {row!r} is not a whole number"
            if not 0 <= row <= last:
                return f"row {row} is outside 0 to {last}"
            if row in told or row in rows[:at]:
                return f"row {row} was made before"
        return ""

    def _tell(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(f"{json.dumps(message)}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerFailed(f"{self._place()}: {self._last_words()}") from error

    def _answer(self) -> dict[str, Any]:
        out = self._process.stdout
        assert out is not None  # noqa: S101
        if not select.select([out], [], [], PATIENCE)[0]:
            raise PeerFailed(f"{self._place()}: no answer in {PATIENCE:g} s")
        line = out.readline().decode(errors="replace")
        if not line:
            raise PeerFailed(f"{self._place()}: {self._last_words()}")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise PeerFailed(f"{self._place()}: {line[:80]!r} is no answer")
        if "error" in answer:
            raise PeerFailed(f"{self._place()}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        return f"ended with {code}{f': {said[-1]}' if said else ''}"

    def _place(self) -> str:
        question = f"question {self._asked}" if self._asked else "start"
        return f"{self.name}: {self.table.name}, seed {self.seed}, {question}"


def _table(table: Table, seed: int) -> dict[str, Any]:
    """Return the first line: parameters under plain names, and the rows.

    A parameter that has one value in all rows is left out: some peers refuse it.
    """
    pool, every = table.space.pool, table.space.parameters
    varied = [p for p in every if len({c.values[p.name] for c in pool}) > 1]
    parameters = varied or every
    rows = [[c.values[p.name] for p in parameters] for c in pool]
    return {
        "parameters": [
            {"name": f"x{i}", **_parameter(p)} for i, p in enumerate(parameters)
        ],
        "rows": rows,
        "direction": table.objective.direction,
        "batch": table.batch,
        "seed": seed,
    }


def _parameter(p: Parameter) -> dict[str, Any]:
    if isinstance(p, Real):
        return {"kind": "real", "low": p.low, "high": p.high, "scale": p.scale}
    if isinstance(p, Molecule):
        return {"kind": "molecule", "options": dict(p.options)}
    assert isinstance(p, Choice)  # noqa: S101
    return {"kind": "choice", "options": list(p.options), "ordered": p.ordered}
