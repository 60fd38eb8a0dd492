from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.launcher import Options, begin
from orchestrator.ledger import Ledger
from orchestrator.simulated_bench import held_in

ROOT = Path(__file__).parents[2]
CAMPAIGN = ROOT / "lab_configs" / "pedot_pss" / "campaign.yaml"


def hold(directory: Path) -> subprocess.Popen[str]:
    """Switch a bench on and wait until its ports are there."""
    bench = ROOT / "lab_configs" / "sim_bench" / "bench.yaml"
    process = subprocess.Popen(
        [sys.executable, "-m", "sims", str(bench), "--dir", str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "ready\n" in iter(process.stdout.readline, "")
    return process


def end(process: subprocess.Popen[str], signum: int) -> None:
    process.send_signal(signum)
    process.wait(20)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.slow
def test_a_bench_is_found_while_it_is_held_and_not_after(tmp_path: Path) -> None:
    bench = hold(tmp_path)
    try:
        held = held_in(tmp_path)
        assert (held.pid, held.speed) == (bench.pid, 200.0)
        options = Options(tmp_path / "data", bench=tmp_path)
        name = begin(CAMPAIGN, options, trials=1, seed=None)
        ledger = Ledger.of(tmp_path / "data")
        assert ledger.events(name)[0].data["bench"] == str(tmp_path)
        ledger.close()
        with pytest.raises(Refused, match=r"--speed: 3 .* runs at 200"):
            begin(
                CAMPAIGN,
                Options(tmp_path / "data", speed=3.0, bench=tmp_path),
                trials=1,
                seed=None,
            )
    finally:
        end(bench, signal.SIGTERM)
    with pytest.raises(Refused, match="nobody holds a bench"):
        held_in(tmp_path)


@pytest.mark.slow
def test_the_card_of_a_bench_that_crashed_is_not_believed(tmp_path: Path) -> None:
    bench = hold(tmp_path)
    end(bench, signal.SIGKILL)
    assert json.loads((tmp_path / "bench.json").read_text())["pid"] == bench.pid
    with pytest.raises(Refused, match=f"process {bench.pid}, which held it, is gone"):
        held_in(tmp_path)
    again = hold(tmp_path)
    try:
        assert held_in(tmp_path).pid == again.pid
    finally:
        end(again, signal.SIGTERM)


def test_a_process_that_only_has_the_bench_s_old_number_holds_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "bench.json").write_text(json.dumps({"pid": os.getpid(), "speed": 1.0}))
    with pytest.raises(Refused, match="is gone"):
        held_in(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', '{"pid": "x", "speed": 1}'])
def test_a_card_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(Refused, match=r"bench\.json"):
        held_in(tmp_path)


def test_nothing_is_written_when_nobody_holds_the_bench(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nobody holds a bench"):
        begin(
            CAMPAIGN,
            Options(tmp_path / "data", bench=tmp_path),
            trials=1,
            seed=None,
        )
    assert not (tmp_path / "data").exists()
