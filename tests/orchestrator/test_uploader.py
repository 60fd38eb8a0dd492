"""The journal is the truth; the catalog comes to say the same, whatever ends in between."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.archive.catalog import Catalog, open_catalog
from orchestrator.archive.documents import (
    complete_runs,
    journal_directory,
    journaled_run,
)
from orchestrator.archive.uploader import Uploader, read_runs
from orchestrator.records import Document
from tests.orchestrator.fake_campaign import run_documents, write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def new_run() -> list[Document]:
    return run_documents(str(uuid.uuid4()), time.time(), "t001", "van_der_pauw")


def journal(data: Path, documents: list[Document]) -> str:
    return write_run(journal_directory(data), documents).stem


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.05)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def catalog(data: Path) -> Iterator[Catalog]:
    with open_catalog(data) as catalog:
        yield catalog


def pending(data: Path) -> int:
    """Return how many ended runs the list of what was uploaded lacks."""
    path = data / "tiled" / "uploaded.txt"
    uploaded = path.read_text().split() if path.exists() else []
    return len(complete_runs(data, uploaded))


def test_a_run_comes_back_from_the_catalog_as_it_was_journaled(
    data: Path, catalog: Catalog
) -> None:
    uid = journal(data, new_run())
    assert pending(data) == 1
    assert Uploader(data, catalog).upload() == 1
    assert pending(data) == 0
    # repr, because a NaN does not equal itself
    assert repr(catalog.read(uid)) == repr(journaled_run(data, uid))
    assert catalog.read(uid).streams["primary"].units["source_meter_voltage"] == "V"


def test_what_the_catalog_has_is_not_written_again(
    data: Path, catalog: Catalog
) -> None:
    uid = journal(data, new_run())
    uploader = Uploader(data, catalog)
    assert uploader.upload() == 1
    assert uploader.upload() == 0
    (data / "tiled" / "uploaded.txt").unlink()  # only a list: the catalog knows
    assert pending(data) > 0
    assert Uploader(data, catalog).upload() == 0
    assert pending(data) == 0
    catalog.write(list(zip_documents(data, uid)))
    assert catalog.read(uid).streams["primary"].rows == 3


def zip_documents(data: Path, uid: str) -> list[Document]:
    from orchestrator.station.journal import read_documents

    return read_documents(journal_directory(data), uid)


@pytest.mark.parametrize("written", [1, 2, 4])
def test_a_half_written_run_is_replaced_by_the_whole_one(
    data: Path, catalog: Catalog, written: int
) -> None:
    documents = new_run()
    uid = documents[0][1]["uid"]
    catalog.write(documents[:written])
    assert uid not in catalog.complete()
    journal(data, documents)
    Uploader(data, catalog).upload()
    assert uid in catalog.complete()
    assert catalog.read(uid).streams["primary"].rows == 3


def test_an_array_comes_back_as_a_column_of_lists(catalog: Catalog) -> None:
    documents = new_run()
    key = {"source": "scan", "dtype": "array", "shape": [3], "units": "nm"}
    documents[1][1]["data_keys"]["profile"] = key
    documents[1][1]["object_keys"]["station"].append("profile")
    for name, document in documents:
        if name == "event":
            document["data"]["profile"] = [1.0, 2.0, 3.0]
            document["timestamps"]["profile"] = 1.0
    catalog.write(documents)
    table = catalog.read(documents[0][1]["uid"]).streams["primary"]
    assert table.columns["profile"] == [[1.0, 2.0, 3.0]] * 3
    assert table.units["profile"] == "nm"


def test_a_run_that_tiled_refuses_does_not_hold_up_the_others(
    data: Path, catalog: Catalog
) -> None:
    bad = new_run()
    del bad[1][1]["data_keys"]
    refused, good = journal(data, bad), journal(data, new_run())
    uploader = Uploader(data, catalog)
    uploader.upload()
    assert uploader.refused == {refused}
    assert good in catalog.complete()
    (journal_directory(data) / f"{refused}.jsonl").unlink()


def test_a_second_process_reads_through_the_first_and_leaves_it_the_writing(
    data: Path, catalog: Catalog
) -> None:
    there, waiting = new_run(), new_run()
    catalog.write(there)
    journal(data, there)
    uid = journal(data, waiting)
    (journal_directory(data) / f"{there[0][1]['uid']}.jsonl").unlink()
    records = read_runs(data, [there[0][1]["uid"], uid, "nowhere"])
    assert set(records) == {there[0][1]["uid"], uid}
    assert uid not in catalog.complete()


def test_an_uploader_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    uids = [journal(tmp_path, new_run()) for _ in range(12)]
    broken_off = journal(tmp_path, new_run()[:-1])
    address, listed = (tmp_path / "tiled" / n for n in ("address.txt", "uploaded.txt"))

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "orchestrator.archive.uploader"]
        return subprocess.Popen([*command, "--data", str(tmp_path)])

    def progress() -> int:
        return len(listed.read_text().split()) if listed.exists() else 0

    with ExitStack() as stack:
        first = start()
        stack.callback(first.kill)
        wait_until(lambda: progress() >= 3)
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        assert address.read_text().startswith("http://127.0.0.1:")
        first.send_signal(signal.SIGKILL)
        first.wait()
        second = start()
        stack.callback(second.kill)
        wait_until(lambda: pending(tmp_path) == 0)
        last = journal(tmp_path, new_run())
        second.terminate()
        assert second.wait(timeout=60) == 0
    assert pending(tmp_path) == 0
    assert not address.exists()
    kept = read_runs(tmp_path, [uids[3], broken_off])
    assert kept[broken_off].stop == {}
    with open_catalog(tmp_path) as catalog:
        assert catalog.complete() == {*uids, last}
        assert repr(catalog.read(uids[3])) == repr(kept[uids[3]])
    assert os.environ["DO_NOT_TRACK"] == "1"
