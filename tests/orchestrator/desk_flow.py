"""A small flow made as the campaign's is: a loop in the main thread, acts, a desk.

``python -m tests.orchestrator.desk_flow FOLDER`` runs it as the runner does. It obeys
the lines of ``FOLDER/orders`` and writes down what happened in ``FOLDER/*.jsonl``.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from orchestrator.flows.alerts import alert
from orchestrator.flows.desk import Desk
from orchestrator.flows.forms import Question
from orchestrator.processes import die_with_parent


@task(cache_policy=NO_CACHE, retries=0, persist_result=False, task_run_name="act {n}")
def act(n: int) -> int:
    time.sleep(0.4)
    return n


@flow(
    name="small",
    task_runner=ThreadPoolTaskRunner(max_workers=16),  # type: ignore[arg-type]
    persist_result=False,
    retries=0,
)
def small(folder: str) -> str:
    die_with_parent()
    return Small(Path(folder)).run()


class Small:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = get_run_logger()
        self.desk = Desk(str(flow_run.get_id()))
        self.obeyed = 0
        self.ending = False

    def run(self) -> str:
        try:
            n = ended = 0
            done: queue.Queue[PrefectFuture[int]] = queue.Queue()
            while not self.obey() or ended < n:
                if not self.ending:
                    n += 1
                    act.submit(n).add_done_callback(done.put)
                    self.log.info("act %d begins", n)
                try:
                    answer = done.get(timeout=5.0).result()
                except queue.Empty:
                    continue
                ended += 1
                self.note("acts", n=answer, away=self.desk.away_since())
                for said in self.desk.take():
                    self.note("said", **asdict(said))
        except BaseException as error:
            self.note("ended", error=type(error).__name__)
            self.desk.close()
            raise
        self.desk.close(60.0)
        return "done"

    def obey(self) -> bool:
        path = self.folder / "orders"
        lines = path.read_text().splitlines() if path.exists() else []
        for order, *arguments in map(json.loads, lines[self.obeyed :]):
            self.obeyed += 1
            match order:
                case "ask":
                    self.desk.ask(Question(*arguments))
                case "withdraw":
                    self.desk.withdraw(*arguments)
                case "paused":
                    self.desk.paused(*arguments)
                case "resumed":
                    self.desk.resumed()
                case "alert":
                    alert("overrun", *arguments, campaign="c1", station="coater")
                case "end":
                    self.ending = True
        return self.ending

    def note(self, name: str, **facts: Any) -> None:
        with (self.folder / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps(facts) + "\n")


async def main(folder: str) -> None:
    # Imported here: the flow's process needs none of it.
    from orchestrator.flows.runner import carry_out, say

    run = await carry_out(
        small,
        f"{__file__}:small",
        deployment="small",
        name=Path(folder).name,
        parameters={"folder": folder},
    )
    async with get_client() as client:
        say(state=(await client.read_flow_run(run)).state_name or "")


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(main(sys.argv[1]))
