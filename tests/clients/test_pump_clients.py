"""A released client of syringe pumps, unmodified, is content with the simulated one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.clients.test_motion_clients import run_client
from tests.conftest import RunningBench


@pytest.mark.slow
@pytest.mark.parametrize("speed", [5.0, 50.0])
def test_nesp_lib_drives_the_syringe_pump(
    speed: float, start_bench: Callable[..., RunningBench], tmp_path: Path
) -> None:
    pytest.importorskip("nesp_lib", reason="pip install polyloop[clients]")
    entry = {
        "panel": "new_era",
        "port": "ports/syringe_pump",
        "syringe": 10000.0,
        "contents": {"water": 9000.0},
        "target": "beaker",
    }
    file = tmp_path / "bench.yaml"
    file.write_text(yaml.safe_dump({"instruments": {"syringe_pump": entry}}))
    bench = start_bench(speed=speed, spec=file)
    said = run_client("new_era_nesp_lib.py", bench.port("syringe_pump"), limit=50)
    assert said == "OK 0.05 0.1\n"
    poured = [
        line["volume"]
        for line in bench.journal("syringe_pump")
        if line["event"] == "infused"
    ]
    assert [poured[0], poured[2]] == [50.0, 100.0]
