"""What end-to-end tests share, because to start it takes longer than a trial.

One finished campaign for all that only look at what it left behind, and one Prefect
server for campaigns that need none of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.launched import CAMPAIGN, SPEED, Launched
from tests.orchestrator.test_desk import Server


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Return a campaign of three trials that has reached its end."""
    data = tmp_path_factory.mktemp("finished") / "data"
    going = Launched(
        data, "run", CAMPAIGN, "--trials", "3", "--speed", SPEED, "--data", data
    )
    try:
        assert going.wait(280.0) == 0, going.output.read_text()
    finally:
        going.kill()
    return going


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    one = Server(tmp_path_factory.mktemp("prefect"))
    yield one.api
    one.end()


@pytest.fixture
def shared_prefect(prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have campaigns shown on a server that is there, as ``PREFECT_API_URL`` says."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
