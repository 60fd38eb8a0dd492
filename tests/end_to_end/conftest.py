"""One finished campaign for all tests that only look at what it left behind."""

from __future__ import annotations

import pytest

from tests.end_to_end.launched import CAMPAIGN, SPEED, Launched


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
