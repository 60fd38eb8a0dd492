"""Bad labs that only the instruments themselves can tell: refused before anything moves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.launched import ROOT, journal, polyloop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "lab_configs", tmp_path / "lab_configs")
    return tmp_path / "lab_configs"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def moved(data: Path) -> list[str]:
    """Return the instruments that did anything physical."""
    campaigns = list((data / "bench").iterdir())
    return [
        instrument
        for instrument in ("gantry", "pump", "spin_coater", "anneal_plate")
        if journal(data, campaigns[0].name, instrument)
    ]


def test_a_port_that_does_not_exist_is_refused(configs: Path, tmp_path: Path) -> None:
    change(configs / "sim_bench" / "lab.yaml", "ports/pump", "ports/nowhere")
    data = tmp_path / "data"
    answer = polyloop("run", configs / "pedot_pss" / "campaign.yaml", "--data", data)
    assert answer.returncode == 2
    assert "instruments.pump" in answer.stderr
    assert "ports/nowhere" in answer.stderr
    assert "Traceback" not in answer.stderr + answer.stdout
    assert not moved(data)


def test_an_instrument_that_answers_as_another_model_is_refused(
    configs: Path, tmp_path: Path
) -> None:
    lab = configs / "sim_bench" / "lab.yaml"
    change(lab, "port: ports/source_meter", "port: ports/swap")
    change(lab, "port: ports/switch_matrix", "port: ports/source_meter")
    change(lab, "port: ports/swap", "port: ports/switch_matrix")
    data = tmp_path / "data"
    answer = polyloop("run", configs / "pedot_pss" / "campaign.yaml", "--data", data)
    assert answer.returncode == 2
    assert "instruments.source_meter" in answer.stderr
    assert "2700" in answer.stderr
    assert not moved(data)


def test_a_speed_for_a_real_lab_is_refused(configs: Path, tmp_path: Path) -> None:
    lab = configs / "sim_bench" / "lab.yaml"
    change(lab, "bench: bench.yaml", "")
    text = lab.read_text().replace("port: ports/", "port: /dev/serial/by-id/")
    lab.write_text(text.replace("folder: drops/", "folder: /drops/"))
    answer = polyloop(
        *("run", configs / "pedot_pss" / "campaign.yaml"),
        *("--speed", "200", "--data", tmp_path / "data"),
    )
    assert answer.returncode == 2
    assert "--speed" in answer.stderr


def test_devices_prints_who_answers_on_each_port() -> None:
    answer = polyloop("devices", ROOT / "lab_configs" / "sim_bench" / "lab.yaml")
    assert answer.returncode == 0, answer.stderr
    for word in ("pump", "KEITHLEY", "2400", "2700", "PM100", "C-MAG", "Grbl"):
        assert word.lower() in answer.stdout.lower()
