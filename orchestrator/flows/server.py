"""Run the Prefect server so that it dies with the launcher, and keeps to little memory.

Prefect (3.8.8) lets every connection cache 80 MB of its SQLite database, and has up to
fifteen; with a long campaign its memory grows with the database. Here each caches 4 MB.
"""

from __future__ import annotations

import sys
from typing import Any

from prefect.cli import app
from prefect.server.database.configurations import AioSqliteConfiguration

from orchestrator.processes import die_with_parent

CACHE = 4000
"""kB of the database that a connection may keep in memory."""


_as_prefect_does = AioSqliteConfiguration.setup_sqlite


def prepare(self: Any, connection: Any, record: Any) -> None:
    """Prepare a connection to SQLite as Prefect does, but with a smaller cache."""
    _as_prefect_does(self, connection, record)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA cache_size = -{CACHE}")
    cursor.close()


def main() -> None:
    """Be ``prefect server start`` on loopback; arguments are passed on."""
    die_with_parent()
    AioSqliteConfiguration.setup_sqlite = prepare  # type: ignore[assignment]
    sys.argv = ["prefect", "server", "start", "--host", "127.0.0.1", *sys.argv[1:]]
    app()


if __name__ == "__main__":
    main()
