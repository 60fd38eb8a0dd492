"""A short campaign of its own on a simulated bench of its own, held open for it.

It is started and resumed as a person does, in processes; what it asks is answered from
the journals of its instruments, as by somebody who saw everything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from orchestrator import processes, suggesting
from orchestrator.benches import victims
from orchestrator.benches.accounting import answer
from orchestrator.benches.evidence import collect
from orchestrator.benches.short import shorten
from orchestrator.benches.story import Evidence
from orchestrator.config.read_campaign import load_campaign
from orchestrator.ledger import Event, Ledger

WIDE = "1000"
"""Columns of a terminal on which no message is broken."""
WHO = "bench"
"""Who answers, and suggests."""
COUNT = 1.0
"""Real seconds between two looks at what the launcher has started."""


class OnBench:
    """A short campaign, its bench, and the launcher that carries it out.

    Parameters
    ----------
    directory:
        Where its files, data, bench and logs go.
    api:
        Of the Prefect server that is there for it.
    speed:
        Bench seconds per second.
    """

    def __init__(self, directory: Path, api: str, speed: float) -> None:
        self.directory, self.api, self.speed = directory, api, speed
        self.data, self.bench = directory / "data", directory / "bench"
        self.logs = directory / "logs"
        self.campaign = ""
        self.events: list[Event] = []
        self.launcher: subprocess.Popen[bytes] | None = None
        self.family: list[int] = []
        self._ledger: Ledger | None = None
        self._count_at = 0.0
        self._instruments: processes.Child | None = None

    def hold(
        self,
        stack: ExitStack,
        campaign: Path,
        *,
        trials: int,
        seed: int,
        unanswered: str = "discard",
        in_flight: int = 1,
    ) -> None:
        """Write a short version of a campaign, and hold a bench open for it."""
        config = self.directory / "config"
        self.file = shorten(
            campaign,
            config,
            trials=trials,
            seed=seed,
            unanswered=unanswered,
            in_flight=in_flight,
        )
        bench = load_campaign(self.file, check_drivers=False).lab.bench
        self._command = [
            *(sys.executable, "-m", "sims", str(bench), "--dir", str(self.bench)),
            *("--speed", str(self.speed), "--seed", str(seed)),
        ]
        stack.callback(self.switch_off)
        self.switch_on()

    def switch_on(self) -> None:
        """Give all instruments power; what lies on the bench is where it was."""
        self._instruments = processes.start("bench", self._command, self.logs, {})
        self._instruments.line_with("ready", 60.0)

    def switch_off(self) -> None:
        """Take the power from all instruments: they forget, and are whole again."""
        if self._instruments is not None:
            self._instruments.end()

    def state_fault(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Tell the bench what goes wrong from now on; it looks four times a second."""
        path = self.bench / "faults.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(rules))
        part.rename(path)

    def start(self, *, own_server: bool = False) -> None:
        """Start the campaign, or resume it, with a Prefect server of its own or ours."""
        environment = {**os.environ, "PREFECT_API_URL": self.api, "COLUMNS": WIDE}
        if own_server:
            del environment["PREFECT_API_URL"]
        command = [sys.executable, "-m", "orchestrator.cli"]
        if self.campaign:
            command += ["resume", self.campaign]
        else:
            command += ["run", str(self.file), "--bench", str(self.bench)]
        self.family, self._count_at = [], 0.0
        with (self.logs / "polyloop.log").open("ab") as log:
            self._said = log.tell()
            self.launcher = subprocess.Popen(
                [*command, "--data", str(self.data), "--no-ui"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )

    @property
    def pid(self) -> int:
        """The launcher's; 0, which is nobody's, before the first start."""
        return 0 if self.launcher is None else self.launcher.pid

    @property
    def running(self) -> bool:
        """Whether the launcher has not ended; its ``family`` is looked at meanwhile."""
        if self.launcher is None or self.launcher.poll() is not None:
            return False
        if time.monotonic() >= self._count_at:
            self._count_at = time.monotonic() + COUNT
            self.family = [one.pid for one in victims.family(self.launcher.pid)]
            # It only fills the catalog, and would take most of a short life.
            victims.kill(victims.uploaders(self.launcher.pid))
        return True

    @property
    def going(self) -> bool:
        """Whether the launcher, or anything that it started, has not ended."""
        return self.running or bool(victims.alive(self.family))

    def last_words(self) -> str:
        """Return the last line that the launcher printed."""
        with (self.logs / "polyloop.log").open("rb") as file:
            file.seek(self._said)
            lines = file.read().decode(errors="replace").split("\n")
        return next((one.strip() for one in reversed(lines) if one.strip()), "no word")

    def read(self) -> list[Event]:
        """Read on in the ledger; return the new events."""
        if self._ledger is None:
            if not (self.data / "ledger.db").exists():
                return []
            self._ledger = Ledger.of(self.data)
        if not self.campaign:
            self.campaign = next(iter(self._ledger.campaigns()), "")
        after = self.events[-1].seq if self.events else 0
        fresh = self._ledger.events(self.campaign, after=after)
        self.events += fresh
        return fresh

    def evidence(self, kept: Mapping[str, Mapping[str, Any]] | None = None) -> Evidence:
        """Return what is known of it: ledger, acts, journals, and what was ``kept``."""
        return collect(self.data, self.campaign, self.bench, self.speed, kept)

    def answer(self, question: Event) -> None:
        """Answer a question from the journals."""
        word = answer(self.evidence(), question.data)
        subprocess.run(
            [
                *(sys.executable, "-m", "orchestrator.cli", "answer", self.campaign),
                *(str(question.data["question"]), word, "--who", WHO),
                *("--data", str(self.data)),
            ],
            check=False,
            stdout=subprocess.DEVNULL,
        )

    def suggest(self, trial: str) -> None:
        """Have the candidate of a trial made once more, as a person may want."""
        assert self._ledger is not None  # noqa: S101 - there are trials in it
        suggesting.suggest(
            *(self._ledger, self.data, self.campaign, []),
            who=WHO,
            like=trial,
            again=True,
        )

    def end(self) -> None:
        """End what is left of it."""
        if self.going and self.launcher is not None:
            victims.kill(self.family)
            self.launcher.wait()
        if self._ledger is not None:
            self._ledger.close()
