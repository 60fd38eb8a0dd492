"""A peer behind a pipe: real processes that answer, crash, talk nonsense and noise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from orchestrator.benches.peers.pipe import Peer, PeerFailed
from planners.data import Candidate, Estimate, Objective, Observation
from planners.space import Choice, Molecule, Real, Space
from planners.table import Goal, Table, search

START = """
import os, sys
from orchestrator.benches.peers.protocol import serve

def start(pool):
    print("noise")
    os.system("echo noise of a child")
    def answers(question):
        print("more noise")
        {body}
    return answers

serve(start)
"""
FIRST = "return question.free(pool)[: question.n]"

ACIDS = {"formic": "OC=O", "acetic": "CC(=O)O"}
POOL = tuple(
    Candidate({"heat": heat, "gas": gas, "acid": acid, "pressure": 1.0})
    for heat in (1.0, 10.0, 100.0)
    for gas in ("argon", "air")
    for acid in ACIDS
)
SPACE = Space(
    (
        Real("heat", 1.0, 100.0, "K", "log"),
        Choice("gas", ("argon", "air")),
        Molecule("acid", ACIDS),
        Real("pressure", 0.0, 2.0, "bar"),  # the same in all rows
    ),
    POOL,
)
RATE = Objective("rate", "1/s", "minimise", "log")
VALUES = tuple(10.0**i for i in range(len(POOL)))
TABLE = Table("rates", SPACE, RATE, VALUES, batch=2, goals=(Goal("all", 1.0, 12),))

Start = Callable[[str], Peer]


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Start]:
    opened = []

    def start(script: str) -> Peer:
        path = tmp_path / "peer.py"
        path.write_text(script)
        opened.append(Peer("guest", [sys.executable, str(path)], TABLE, 3))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
        one.close()
        assert one._process.poll() is not None


def answering(body: str) -> str:
    return START.format(body=body)


def made(*rows: int) -> list[Observation]:
    return [Observation(POOL[i], {"rate": Estimate(VALUES[i], 0.0)}) for i in rows]


def test_a_peer_that_prints_searches_the_table_to_its_end(peer: Start) -> None:
    found = search(peer(answering(FIRST)), TABLE, [5, 2], 12)
    assert found.rows == (5, 2, 0, 1, 3, 4, 6, 7, 8, 9, 10, 11)
    assert found.counts == {"all": 12}
    assert len(found.seconds) == 5


def test_seconds_are_those_of_the_peer(peer: Start) -> None:
    busy = "sum(range(20_000_000)); os.system('true'); " + FIRST
    card = peer(answering(busy)).propose(1, observed=made(0)).card
    assert card["seconds"] > 0.05


def test_a_peer_learns_the_table_and_what_was_made(peer: Start, tmp_path: Path) -> None:
    told = tmp_path / "told"
    body = (
        f"open({str(told)!r}, 'w').write(repr([pool.minimise, pool.batch, pool.seed,"
        " pool.cube().tolist()[-1], pool.parameters[2].options,"
        f" question.observed, question.values, question.failed])); {FIRST}"
    )
    peer(answering(body)).propose(2, observed=made(3, 4), failed=[POOL[0]])
    assert told.read_text() == repr(
        [True, 2, 3, [1.0, 0.0, 1.0, 0.0, 1.0], ACIDS, [3, 4], [3.0, 4.0], [0]]
    )


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("return [0, 1]", "row 1 was made before"),
        ("return [2, 0]", "row 2 was made before"),
        ("return [0, 0]", "row 0 was made before"),
        ("return [0, 12]", "row 12 is outside 0 to 11"),
        ("return [0, -1]", "row -1 is outside 0 to 11"),
        ("return [0]", r"answered \[0\], which must be 2 rows"),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("print('out of luck', file=sys.stderr); os._exit(3)", "ended with 3: out of"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    peer: Start, body: str, wrong: str
) -> None:
    guest = peer(answering(body))
    with pytest.raises(PeerFailed, match=f"guest: rates, seed 3, question 1: {wrong}"):
        guest.propose(2, observed=made(1), failed=[POOL[2]])


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("print('hello'); input(); input()", "'hello\\\\n' is no answer"),
        ("print([1]); input(); input()", "is no answer"),
        ('input(); print(\'{"rows": [0.5], "seconds": 1}\')', "row 0.5 is not a whole"),
        ("input(); print('{\"rows\": [0]}')", "seconds None is not a number"),
        ("import no_such_library", "ended with 1: ModuleNotFoundError: No module"),
        ("", "ended with 0"),
    ],
)
def test_a_peer_of_another_make_is_understood_or_refused(
    peer: Start, script: str, wrong: str
) -> None:
    with pytest.raises(
        PeerFailed, match=f"rates, seed 3, (question 1|start): .*{wrong}"
    ):
        peer(script).propose(1, observed=made(1))


def test_what_cannot_be_started_is_said() -> None:
    with pytest.raises(PeerFailed, match="start: cannot be started: "):
        Peer("guest", ["/no-such-python"], TABLE, 3)


def test_a_draw_takes_rows_that_are_free(peer: Start) -> None:
    guest = peer(answering("return question.drawn(pool)"))
    found = search(guest, TABLE, [5, 2], 12)
    assert sorted(found.rows) == list(range(12))
    assert not np.array_equal(found.rows[2:], sorted(found.rows[2:]))
