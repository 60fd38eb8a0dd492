"""Runs as tables: columns of equal length, units from the descriptors, whole or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.archive.documents import (
    complete_runs,
    is_complete,
    journal_directory,
    journaled_run,
    record_of,
)
from tests.orchestrator.fake_campaign import run_documents, write_run

DOCUMENTS = run_documents("0" * 36, 100.0, "t001", "van_der_pauw")


@given(st.integers(0, len(DOCUMENTS)))
def test_a_run_cut_anywhere_has_columns_of_equal_length(end: int) -> None:
    for table in record_of(DOCUMENTS[:end]).streams.values():
        assert {len(column) for column in table.columns.values()} == {table.rows}
        assert set(table.units) == set(table.columns)


def test_a_column_has_the_unit_of_its_descriptor() -> None:
    table = record_of(DOCUMENTS).streams["primary"]
    assert table.units == {
        "time": "s",
        "source_meter_voltage": "V",
        "switch_matrix_configuration": "",
    }
    assert table.columns["time"] == [101.0, 102.0, 103.0]
    assert table.columns["source_meter_voltage"][:2] == [1.25e-3, -1.24e-3]


@given(cut=st.integers(1, 300))
def test_a_run_is_complete_only_with_its_whole_stop(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = write_run(tmp_path_factory.mktemp("journal"), DOCUMENTS)
    assert is_complete(path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert not is_complete(path)


def test_only_ended_runs_are_listed_and_known_ones_left_out(tmp_path: Path) -> None:
    journal = journal_directory(tmp_path)
    assert complete_runs(tmp_path) == []
    for letter in "abc":
        write_run(journal, run_documents(letter * 36, 1.0, "t001", "spin"))
    write_run(journal, run_documents("d" * 36, 1.0, "t001", "spin")[:-1])
    assert set(complete_runs(tmp_path)) == {"a" * 36, "b" * 36, "c" * 36}
    assert set(complete_runs(tmp_path, ["a" * 36])) == {"b" * 36, "c" * 36}
    assert journaled_run(tmp_path, "d" * 36).stop == {}
    with pytest.raises(FileNotFoundError):
        journaled_run(tmp_path, "e" * 36)
