"""What the simulated chemistry makes of a recipe, without a lab: a process, asked by line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.errors import CampaignFailed, Refused
from orchestrator.lab import OPERATIONS
from orchestrator.records import Recipe


class Films:
    """Films made one after the other; leaving it ends the process.

    Parameters
    ----------
    bench:
        The bench file, whose chemistry it is.
    seed:
        Of the laboratory, and of what differs from film to film.
    ideal:
        Whether it is the laboratory of the literature, without offset, scatter or
        failure.
    """

    def __init__(self, bench: Path, seed: int, *, ideal: bool = False) -> None:
        command = [sys.executable, "-m", "sims.films", str(bench), "--seed", str(seed)]
        self._process = subprocess.Popen(
            [*command, "--ideal"] if ideal else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def made(self, recipe: Recipe) -> dict[str, Any]:
        """Return the truth about a film made by a recipe, and its flaws.

        Raises
        ------
        CampaignFailed
            If the process has ended, or cannot do that to a film.
        """
        told, said = self._process.stdin, self._process.stdout
        assert told is not None and said is not None  # noqa: S101, PT018
        try:
            told.write(f"{json.dumps(list(done_to_it(recipe)))}\n")
            told.flush()
        except BrokenPipeError:
            pass  # it has ended, and there is no answer
        line = said.readline()
        if not line:
            code = self._process.wait()
            raise CampaignFailed(f"films: the simulated chemistry ended with {code}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CampaignFailed(f"films: {recipe.name}: {answer['error']}")
        return answer


def done_to_it(recipe: Recipe) -> Iterator[tuple[Any, ...]]:
    """Yield what a recipe does to its film, as `sims.films` reads it.

    A film takes a plate's temperature at once, and no time passes between the steps.

    Raises
    ------
    Refused
        If it does something that no film by itself shows.
    """
    for step in recipe.steps:
        how = step.parameters
        match step.operation:
            case "dispense" | "rinse":
                yield "pour", {one["liquid"]: one["volume"] for one in how["portions"]}
            case "spin":
                yield "spin", how["speed"], how["duration"]
            case "heat" | "hold":
                yield "wait", how["duration"], how["temperature"]
            case "reach":
                pass
            case operation if OPERATIONS[operation].kind == "measure":
                pass
            case operation:
                raise Refused(f"{step.name}: {operation} — films alone do not show it")
