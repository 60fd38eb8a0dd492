"""The desk, the runner's watch and alerts, on a real Prefect server.

The requests are those that the buttons of the Prefect UI make.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from orchestrator import processes
from orchestrator.flows.settings import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]


class Server:
    """A Prefect server of our own that can be killed and comes back by itself."""

    def __init__(self, folder: Path) -> None:
        port = processes.free_port()
        self.api = f"http://127.0.0.1:{port}/api"
        self.environment = environment(folder / "prefect", self.api)
        command = [
            sys.executable,
            "-m",
            "orchestrator.flows.server",
            "--port",
            str(port),
        ]
        self.kept = processes.Kept(
            lambda: processes.start("prefect", command, folder, self.environment),
            pause=0.1,
        )
        self.client = httpx.Client(timeout=30.0, trust_env=False)
        self.until(self.answers)

    def answers(self) -> bool:
        try:
            return self.client.get(f"{self.api}/health", timeout=2.0).is_success
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        self.client.close()
        self.kept.end()

    def kill(self) -> None:
        self.kept.child.process.send_signal(signal.SIGKILL)
        self.kept.child.process.wait()

    def come_back(self) -> None:
        self.until(self.kept.tend)
        self.until(self.answers)

    def until(self, what: Callable[[], Any], timeout: float = 90.0) -> Any:
        deadline = time.monotonic() + timeout
        while not (answer := what()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return answer

    def post(self, path: str, body: Any) -> Any:
        """Ask as a browser does; a person presses again when a busy server says 503."""
        deadline = time.monotonic() + 60.0
        while True:
            answer = self.client.post(f"{self.api}{path}", json=body)
            if answer.status_code != 503 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert answer.is_success, answer.text
        return answer.json()


class Run:
    """A small flow under way."""

    def __init__(self, server: Server, folder: Path) -> None:
        folder.mkdir()
        self.server, self.folder = server, folder
        self.child = processes.start(
            "flow",
            [sys.executable, "-m", "tests.orchestrator.desk_flow", str(folder)],
            folder,
            {**server.environment, "PYTHONPATH": str(ROOT)},
        )
        self.id = json.loads(self.child.line_with('"flow_run"', 90.0))["flow_run"]
        server.until(lambda: self.noted("acts"))

    def order(self, *words: Any) -> None:
        with (self.folder / "orders").open("a") as file:
            file.write(json.dumps(words) + "\n")

    def noted(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def said(self, count: int) -> dict[str, Any]:
        self.server.until(lambda: len(self.noted("said")) >= count)
        assert len(self.noted("said")) == count
        return self.noted("said")[-1]

    @property
    def state(self) -> dict[str, Any]:
        answer = self.server.client.get(f"{self.server.api}/flow_runs/{self.id}")
        return dict(answer.json().get("state") or {"name": "", "message": ""})

    def shown(self, name: str, text: str = "") -> None:
        """Wait until the flow run is in a state of this name, with this message."""
        self.server.until(
            lambda: self.state["name"] == name and text in (self.state["message"] or "")
        )

    def resume(self, **answer: str) -> str:
        body = {"run_input": answer}
        status = self.server.post(f"/flow_runs/{self.id}/resume", body)["status"]
        return str(status)

    def set_state(self, name: str, kind: str, **details: Any) -> None:
        state = {"type": kind, "name": name, "state_details": details}
        body = {"state": state, "force": True}
        self.server.post(f"/flow_runs/{self.id}/set_state", body)

    def suspend(self) -> None:
        until = datetime.now(UTC) + timedelta(minutes=5)
        self.set_state(
            "Suspended",
            "PAUSED",
            pause_timeout=until.isoformat(),
            pause_reschedule=True,
        )

    def all_of(self, kind: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        """Return every task run or log line of the run."""
        found: list[dict[str, Any]] = []
        while True:
            body = {**filters, "offset": len(found), "limit": 200}
            page = self.server.post(f"/{kind}/filter", body)
            found += page
            if len(page) < 200:
                return found

    def task_runs(self) -> list[dict[str, Any]]:
        return self.all_of("task_runs", {"flow_runs": {"id": {"any_": [self.id]}}})

    def lines(self) -> set[str]:
        found = self.all_of("logs", {"logs": {"flow_run_id": {"any_": [self.id]}}})
        return {one["message"] for one in found}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("server"))
    yield one
    one.end()


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    runs: list[Run] = []

    def begin(name: str) -> Run:
        runs.append(Run(server, tmp_path / name))
        return runs[-1]

    yield begin
    for one in runs:
        one.child.end()


def test_what_persons_press_in_the_ui_reaches_the_loop(
    server: Server, start: Callable[[str], Run]
) -> None:
    run = start("desk")
    run.order("ask", "q1", "Did the acid flow?", "c1/rack.3", "treatment")
    run.order("ask", "q2", "Did the chuck turn?", "c1/rack.4", "coater")
    run.shown("Question", "Did the acid flow?")

    # What cannot be an answer is refused by Prefect, and acts go on meanwhile.
    acts = len(run.noted("acts"))
    assert run.resume(answer="maybe", who="Ada") == "REJECT"
    assert run.resume(answer="it happened", who="") == "REJECT"
    server.until(lambda: len(run.noted("acts")) > acts + 3)

    assert run.resume(answer="it happened", who="Ada", note="seen") == "ACCEPT"
    said = run.said(1)
    assert (said["verb"], said["question"]) == ("answer", "q1")
    assert (said["answer"], said["who"]) == ("it happened", "Ada")
    assert (said["note"], said["via"]) == ("seen", "Prefect UI")
    assert abs(said["at"] - time.time()) < 60.0

    # The next question follows; answered elsewhere, it disappears.
    run.shown("Question", "Did the chuck turn?")
    run.order("withdraw", "q2")
    run.shown("Running")

    # Suspend, decided with the form.
    run.suspend()
    assert run.said(2)["verb"] == "pause"
    run.shown("Paused")
    assert run.resume(decision="drain", who="Grace") == "ACCEPT"
    assert (run.said(3)["verb"], run.noted("said")[-1]["who"]) == ("drain", "Grace")
    run.shown("Running")

    # A pause shown for the command line, ended by a state set by hand; no form, no name.
    run.order("paused", "by Ada on the command line")
    run.shown("Paused", "by Ada")
    run.set_state("Running", "RUNNING")
    assert (run.said(4)["verb"], run.noted("said")[-1]["who"]) == (
        "resume",
        "Prefect UI",
    )
    run.order("paused", "again")
    run.shown("Paused", "again")
    run.order("resumed")
    run.shown("Running")

    # A question can be put off, and the campaign stopped with the same form.
    run.order("ask", "q3", "Is the lid closed?", "", "")
    run.shown("Question", "Is the lid closed?")
    run.resume(answer="ask again later", who="Ada", campaign="emergency stop")
    assert run.said(5)["verb"] == "estop"
    run.shown("Running")

    # Nobody can make Prefect say that a living flow has crashed.
    run.set_state("Crashed", "CRASHED")
    run.shown("Running")

    # A deleted flow run stops nothing.
    httpx.delete(f"{server.api}/flow_runs/{run.id}", timeout=30.0)
    acts = len(run.noted("acts"))
    server.until(lambda: len(run.noted("acts")) > acts + 10)
    assert run.child.process.poll() is None


def test_an_outage_stops_no_act_and_afterwards_everything_is_shown(
    server: Server, start: Callable[[str], Run]
) -> None:
    run, other = start("ends"), start("cancelled")
    run.order("ask", "q1", "Did the acid flow?", "", "")
    run.shown("Question")
    server.kill()
    server.until(lambda: run.noted("acts")[-1]["away"])
    acts = len(run.noted("acts"))
    # Until Prefect's own watch for a cancel has given its event stream up.
    server.until(lambda: len(run.noted("acts")) > acts + 30)

    server.come_back()
    server.until(lambda: run.noted("acts")[-1]["away"] is None)
    run.shown("Question")
    run.resume(answer="it did not", who="Ada")
    assert run.said(1)["answer"] == "it did not"
    run.shown("Running")

    # Cancel works again, paused or not, and is a signal in the main thread.
    other.order("paused", "by hand")
    other.shown("Paused")
    other.set_state("Cancelling", "CANCELLING")
    server.until(lambda: other.noted("ended"))
    assert other.noted("ended")[0]["error"] == "TerminationSignal"
    other.shown("Cancelled")

    # A flow that ends while Prefect is away is shown as completed when it is back.
    server.kill()
    server.until(lambda: run.noted("acts")[-1]["away"])
    run.order("end")
    server.come_back()
    assert run.child.process.wait(90.0) == 0
    assert run.state["name"] == "Completed"
    done = {f"act {one['n']}" for one in run.noted("acts")}
    server.until(
        lambda: (
            {one["name"] for one in run.task_runs() if one["state_name"] == "Completed"}
            == done
        )
    )
    assert {f"{one} begins" for one in done} <= run.lines()


def test_the_example_automation_passes_an_alert_on(
    server: Server, start: Callable[[str], Run], tmp_path: Path
) -> None:
    heard: list[dict[str, Any]] = []

    class Hears(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            heard.append(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    listener = HTTPServer(("127.0.0.1", 0), Hears)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        block = make_webhook(server, f"http://127.0.0.1:{listener.server_port}/")
        example = (ROOT / "docs" / "automations" / "notify.yaml").read_text()
        assert yaml.safe_load(example)["actions"][0]["block_document_id"] == "BLOCK"
        path = tmp_path / "notify.yaml"
        path.write_text(example.replace("BLOCK", block))
        command = [sys.executable, "-m", "prefect", "automation", "create"]
        made = subprocess.run(
            [*command, "--from-file", str(path)],
            env={**os.environ, **server.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        run = start("alerts")
        # The server's triggers learn of a new automation within seconds.
        asked = time.monotonic()
        while not heard and time.monotonic() < asked + 60.0:
            run.order("alert", "the spin takes too long")
            time.sleep(1.0)
        assert heard
        assert "the spin takes too long" in heard[0]["text"]
        assert "coater" in heard[0]["text"]
        warnings = "overrun: the spin takes too long (station coater)"
        server.until(lambda: warnings in run.lines())
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def make_webhook(server: Server, url: str) -> str:
    """Make a webhook block, as *Blocks* in the UI does; return its id."""
    kind = httpx.get(f"{server.api}/block_types/slug/webhook", timeout=30.0).json()
    schema = server.post(
        "/block_schemas/filter",
        {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}},
    )[0]
    document = server.post(
        "/block_documents/",
        {
            "name": "loopback",
            "block_type_id": kind["id"],
            "block_schema_id": schema["id"],
            "data": {"method": "POST", "url": url},
        },
    )
    return str(document["id"])
