"""The database under a ledger: SQLite in a file, or PostgreSQL by its URL.

What both promise: a commit is on disk before it returns, writers of one ledger come one
after the other, and a server that goes away for a while is waited for.

One data directory has one ledger. Where it is says ``ledger.url`` in the directory,
without a password; without that file it is ``ledger.db`` beside it. A password comes
from ``POLYLOOP_LEDGER`` (the whole URL again) or from what PostgreSQL's own clients
read: ``PGPASSWORD``, ``~/.pgpass``.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import MetaData, create_engine, event, func, inspect, select
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from orchestrator.errors import PolyloopError, Refused

PATIENCE = 120.0
"""Seconds for which a database that does not answer is asked again."""

VARIABLE = "POLYLOOP_LEDGER"
REMEMBERED = "ledger.url"
SQLITE_FILE = "ledger.db"

# A cable that was pulled is noticed within 30 s, not after the system's two hours.
_LIBPQ = {
    "connect_timeout": 5, "tcp_user_timeout": 30_000,
    "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
}  # fmt: skip

T = TypeVar("T")

log = logging.getLogger(__name__)

# InternalError: PostgreSQL's word for a standby that has not taken over yet.
_AWAY = (OperationalError, InterfaceError, InternalError)


class LedgerGone(PolyloopError):
    """The database of a ledger has not answered for longer than we wait."""


def durable_engine(url: str | URL, *, sync: str = "FULL") -> Engine:
    """Return an engine whose commits survive a power cut.

    SQLite: WAL with full sync, or ``sync`` of another kind. PostgreSQL: a session in which somebody has turned
    ``synchronous_commit`` off has it turned on; a stricter setting stays.
    """
    url = make_url(url)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url)
        event.listen(engine, "connect", partial(_prepare_sqlite, sync))
    else:
        given = {key: value for key, value in _LIBPQ.items() if key not in url.query}
        engine = create_engine(
            url, isolation_level="READ COMMITTED", connect_args=given
        )
        event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_sqlite(sync: str, connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA synchronous={sync}")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.execute("SHOW fsync")
        if cursor.fetchone()[0] == "off":
            raise Refused(
                "PostgreSQL: fsync is off — a ledger is on disk before anything moves: "
                "turn it on"
            )
    connection.commit()


@contextmanager
def writing(engine: Engine, what: str) -> Iterator[Connection]:
    """Begin a transaction that writes; other writers of ``what`` wait for its end.

    So numbers that are given out inside become visible in their order, and who reads
    those after a number misses none. (PostgreSQL's sequences alone promise no such
    thing: a number may be drawn first and committed last.)
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            lock = func.pg_advisory_xact_lock(func.hashtext(what))
            connection.execute(select(lock))
        yield connection


def make_tables(engine: Engine, tables: MetaData) -> None:
    """Make the tables, columns and indices that are not there.

    Another process may be doing the same. A column that is added to a table of an
    earlier version is nothing in its rows.
    """
    with writing(engine, "tables") as connection:
        for table in tables.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            there = {one["name"] for one in inspect(connection).get_columns(table.name)}
            for column in table.columns:
                if column.name not in there:
                    added = f"{column.name} {column.type.compile(engine.dialect)}"
                    connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD {added}")
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


def patiently(engine: Engine, work: Callable[[], T], patience: float) -> T:
    """Return what ``work`` returns, again and again while the database is away.

    ``work`` is one transaction that may be repeated.

    Raises
    ------
    LedgerGone
        When it has failed for ``patience`` seconds.
    PolyloopError
        At once, when asking again cannot help.
    """
    began, pause = time.monotonic(), 0.05
    while True:
        try:
            return work()
        except DBAPIError as error:
            name, why = shown(engine.url), reason(error)
            if not isinstance(error, _AWAY):
                raise PolyloopError(f"{name}: the ledger fails: {why}") from error
            if time.monotonic() + pause > began + patience:
                raise LedgerGone(
                    f"{name}: the ledger has not answered for {patience:g} s ({why}); "
                    "what was written before is safe: resume the campaign when it is "
                    "back"
                ) from error
        if pause == 0.05:  # say so once
            log.warning("%s: %s; asking again for %g s", name, why, patience)
        engine.dispose()  # the other connections of the pool are no better
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def reason(error: DBAPIError) -> str:
    """Return what a database said, as one line."""
    return (str(error.orig).strip().splitlines() or ["no reason given"])[0]


def shown(url: URL) -> str:
    """Return a URL without its password."""
    public = url._replace(password=None).difference_update_query(["password"])
    return public.render_as_string(hide_password=False)


def ledger_url(data: Path, *, make: bool) -> URL:
    """Return where the ledger of a data directory is, and remember it when ``make``.

    Raises
    ------
    Refused
        When the directory has none and none is to be made, when the URL cannot be
        meant, or when the directory's ledger is another one than the user names.
    """
    file, remembered = data / SQLITE_FILE, data / REMEMBERED
    asked = os.environ.get(VARIABLE)
    wanted = _read_url(asked, VARIABLE) if asked else None
    if remembered.is_file():
        known = _read_url(remembered.read_text("utf-8").strip(), str(remembered))
    elif file.is_file() or (make and wanted is None):
        known = URL.create("sqlite", database=str(file))
    elif make and wanted is not None:
        _remember(remembered, shown(wanted))
        known = wanted
    else:
        raise Refused(f"{data}: no ledger here; name the directory with --data")
    if wanted is None:
        return known
    if shown(wanted) != shown(known):
        raise Refused(
            f"{VARIABLE} (or --ledger): {shown(wanted)} — the ledger of {data} is "
            f"{shown(known)}, and a data directory has one: name another with --data"
        )
    return wanted


def _read_url(text: str, place: str) -> URL:
    """Return a URL of the two kinds that can be a ledger, made absolute."""
    example = "write e.g. postgresql+psycopg://user@host/database"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Refused(f"{place}: not the URL of a database — {example}") from None
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(database=str(Path(str(url.database)).resolve()))
    raise Refused(
        f"{place}: {shown(url)} — a ledger is kept in PostgreSQL or in a file of "
        f"SQLite: {example}"
    )


def _remember(path: Path, text: str) -> None:
    """Write a small file that is there in full, or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
