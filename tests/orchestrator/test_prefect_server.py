"""The Prefect server keeps little of its database in memory."""

from __future__ import annotations

import sqlite3

from orchestrator.flows.server import CACHE, prepare


def test_a_connection_is_prefects_own_with_a_small_cache() -> None:
    connection = sqlite3.connect(":memory:")
    try:
        prepare(None, connection, None)
        assert connection.execute("PRAGMA cache_size").fetchone() == (-CACHE,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    finally:
        connection.close()
