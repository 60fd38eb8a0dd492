from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sims.faulty import Faulty


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Faulty]:
    made = Faulty(tmp_path)
    yield made
    made.close()
