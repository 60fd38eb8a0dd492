"""The emergency stop's latch: a file, so that it outlives every process of polyloop."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class Latch:
    """Held from an emergency stop until a person clears it.

    Parameters
    ----------
    data:
        The data directory; the latch is ``station/estop.json`` in it.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / "station" / "estop.json"

    @property
    def held(self) -> dict[str, Any] | None:
        """Who stopped, from where, and when (Unix seconds); None while it is clear."""
        try:
            found: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:  # half written is held all the same
            return {"who": "unknown", "via": str(self.path), "at": 0.0}
        return found

    def hold(self, who: str, via: str) -> None:
        """Hold; the first to stop stays on record."""
        if self.held is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", encoding="utf-8") as file:
            json.dump({"who": who, "via": via, "at": time.time()}, file)
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Let go; may be repeated."""
        self.path.unlink(missing_ok=True)
