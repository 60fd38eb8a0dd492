"""One data directory has one ledger, and says where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.database import VARIABLE, durable_engine, ledger_url, shown
from orchestrator.errors import Refused

WORD = "word"
SERVER = "postgresql+psycopg://ann:word@db.lab/polyloop?sslmode=require"


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_ledger_is_a_file_of_the_data_directory_unless_named(tmp_path: Path) -> None:
    url = ledger_url(tmp_path, make=True)
    assert url.render_as_string() == f"sqlite:///{tmp_path}/ledger.db"
    with pytest.raises(Refused, match="no ledger here"):
        ledger_url(tmp_path, make=False)


def test_a_named_ledger_is_remembered_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SERVER + "&password=hidden")
    assert ledger_url(tmp_path, make=True).password == WORD
    (file,) = tmp_path.iterdir()
    public = "postgresql+psycopg://ann@db.lab/polyloop?sslmode=require"
    assert file.read_text() == public + "\n"
    assert ledger_url(tmp_path, make=False).password == WORD
    monkeypatch.delenv(VARIABLE)
    assert shown(ledger_url(tmp_path, make=False)) == public


def test_the_short_name_of_the_driver_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://db.lab/polyloop")
    assert ledger_url(tmp_path, make=True).drivername == "postgresql+psycopg"


@pytest.mark.parametrize("kept", ["ledger.db", "ledger.url"])
def test_a_data_directory_has_one_ledger(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kept == "ledger.db":
        (tmp_path / kept).touch()
    else:
        (tmp_path / kept).write_text("postgresql://other.lab/polyloop\n")
    monkeypatch.setenv(VARIABLE, SERVER)
    for make in (True, False):
        with pytest.raises(Refused, match="a data directory has one") as refused:
            ledger_url(tmp_path, make=make)
        assert "word" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == [kept]


@pytest.mark.parametrize(
    "url",
    [
        "ledger.db", "sqlite://", "sqlite:///:memory:", "mysql://ann:word@db.lab/x",
        "postgresql+asyncpg://db.lab/x", "postgresql://ann:word@db.lab:port/x", "://",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_a_ledger_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(Refused, match=f"{VARIABLE}: .*write e.g. postgresql") as why:
        ledger_url(tmp_path, make=True)
    assert "word" not in str(why.value)
    assert not list(tmp_path.iterdir())


def test_sqlite_has_full_sync_before_a_commit_returns(tmp_path: Path) -> None:
    engine = durable_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        answers = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        ]
    engine.dispose()
    assert answers == ["wal", 2]
