"""A question that only a person can answer, asked in mid-campaign and answered both ways.

The cable of the gantry goes just when the gripper has closed: the controller restarts,
and nobody but a person can tell whether it holds the sample.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import httpx
import pytest

from orchestrator.campaign import Question
from tests.end_to_end.launched import ROOT, SPEED, Launched, journal, polyloop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

FAULTS = """
faults:
  - {instrument: gantry, kind: disconnect, command: M8, side: reply, seconds: "1 s", after: 2}
  - {instrument: gantry, kind: disconnect, command: M8, side: reply, seconds: "1 s", after: 7}
"""


@pytest.mark.usefixtures("shared_prefect")
def test_a_question_is_answered_on_the_command_line_and_in_prefect(
    tmp_path: Path,
) -> None:
    configs = tmp_path / "lab_configs"
    shutil.copytree(ROOT / "lab_configs", configs)
    with (configs / "sim_bench" / "lab.yaml").open("a") as file:
        file.write(FAULTS)
    campaign, data = configs / "pedot_pss" / "campaign.yaml", tmp_path / "data"
    arguments = ("run", campaign, "--trials", "1", "--speed", SPEED, "--data", data)
    going = Launched(data, *arguments)
    try:
        first = asked(going)
        assert truly_gripped(going, first)
        shown = polyloop("inbox", "--data", data)
        assert first.id in shown.stdout
        assert "Where is the sample?" in shown.stdout
        told = polyloop(
            *("answer", going.id, first.id, "happened", "--who", "ada", "--data", data)
        )
        assert told.returncode == 0, told.stderr
        going.until(lambda p: first.id not in p.questions)

        second = asked(going)
        assert truly_gripped(going, second)
        answer_in_prefect(going, {"answer": "it happened", "who": "Bob"})
        assert going.wait(200.0) == 0, going.output.read_text()
    finally:
        going.kill()
    answers = [e.data for e in going.events if e.kind == "question.answered"]
    assert [(a["who"], a["via"]) for a in answers] == [
        ("ada", "command line"),
        ("Bob", "Prefect UI"),
    ]
    assert [e.data["alert"] for e in going.events if e.kind == "alert"]
    assert len(going.progress.observed) == 1
    dropped = [e for e in journal(data, going.id, "gantry") if e["event"] == "dropped"]
    assert not dropped


def asked(going: Launched) -> Question:
    """Wait for a question that is open, and return it."""
    going.until(lambda p: any(not q.answer for q in p.questions.values()))
    return next(q for q in going.progress.questions.values() if not q.answer)


def truly_gripped(going: Launched, question: Question) -> bool:
    """Whether the gripper holds the sample, by its own journal."""
    home = question.act.sample.rpartition("/")[2]
    told = [
        e["event"]
        for e in journal(going.data, going.id, "gantry")
        if e.get("sample") == home and e["event"] in ("gripped", "released")
    ]
    return told[-1] == "gripped"


def answer_in_prefect(going: Launched, form: dict[str, str]) -> None:
    """Fill in the form as the UI does."""
    log = (going.data / "logs" / going.id / "flow.log").read_text()
    flow = json.loads(next(line for line in log.splitlines() if '"flow_run"' in line))
    api = f"{flow['url'].split('/runs/')[0]}/api/flow_runs/{flow['flow_run']}"
    deadline = time.monotonic() + 60.0
    while True:
        state = httpx.get(api, trust_env=False, timeout=30.0).json()["state"]
        if state["name"] == "Question":
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.2)
    answer = httpx.post(
        f"{api}/resume", json={"run_input": form}, trust_env=False, timeout=30.0
    )
    assert answer.is_success, answer.text
    assert answer.json()["status"] == "ACCEPT", answer.text
