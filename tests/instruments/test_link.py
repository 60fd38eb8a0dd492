from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest

from instruments.errors import BadReply, LinkError, LinkTimeout
from instruments.link import AGAIN, Link
from tests.instruments.peer import Peer


def repeat(came: bytes) -> bytes | None:
    return b"=" + came if came.endswith(b"\n") else None


def test_an_answer_comes_back_without_its_end() -> None:
    with Peer(repeat) as peer:
        link = Link(peer.path)
        link.open()
        assert link.ask(b"hello\n") == b"=hello"
        link.close()


def test_an_answer_of_several_lines_is_read_line_by_line() -> None:
    with Peer(lambda _: b"one\r\ntwo\r\nok\r\n") as peer:
        link = Link(peer.path)
        link.open()
        assert link.ask(b"?", end=b"\r\n") == b"one"
        assert link.read(end=b"\r\n") == b"two"
        assert link.read(end=b"\r\n") == b"ok"
        link.close()


def test_what_came_before_the_question_is_not_its_answer() -> None:
    with Peer(repeat) as peer:
        link = Link(peer.path)
        link.open()
        peer.say(b"late\n")
        while link._wire.port is None or link._wire.port.in_waiting < len(b"late\n"):
            time.sleep(0.001)
        assert link.ask(b"now\n") == b"=now"
        link.close()


def test_silence_is_a_timeout_that_names_the_question() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=0.1, name="pump")
        link.open()
        with pytest.raises(LinkTimeout, match=r"pump \(.*\): 'Q\\n' was not answered"):
            link.ask(b"Q\n")
        link.close()


def test_half_an_answer_is_a_timeout_that_tells_the_half() -> None:
    with Peer(lambda _: b"24.08") as peer:
        link = Link(peer.path, timeout=0.1)
        link.open()
        with pytest.raises(LinkTimeout, match=r"so far came '24.08'"):
            link.ask(b"r vbus_voltage\n")
        link.close()


def test_a_dripping_peer_does_not_stretch_the_deadline() -> None:
    dripping = threading.Event()
    with Peer() as peer:
        link = Link(peer.path, timeout=0.3)
        link.open()

        def drip() -> None:
            while not dripping.wait(0.05):
                peer.say(b".")

        dripper = threading.Thread(target=drip)
        dripper.start()
        with pytest.raises(LinkTimeout, match=r"so far came '\.\.\."):
            link.ask(b"Q")
        dripping.set()
        dripper.join()
        link.close()


def test_endless_garbage_is_a_bad_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instruments.link.LONGEST_ANSWER", 1000)
    with Peer(lambda _: b"\x00\xff" * 1000) as peer:
        link = Link(peer.path)
        link.open()
        with pytest.raises(BadReply, match=r"they begin '\\x00\\xff"):
            link.ask(b"Q\n")
        link.close()


def test_a_peer_that_vanishes_is_a_link_error_and_closing_still_works() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=1.0)
        link.open()
        peer.hang_up()
        for _ in range(2):
            with pytest.raises(LinkError, match="link lost"):
                link.ask(b"Q\n")
        with pytest.raises(LinkError, match="link lost"):
            link.flush()
        link.close()
        link.close()
        with pytest.raises(LinkError, match="not open"):
            link.ask(b"Q\n")
        with pytest.raises(LinkError, match="link lost"):
            link.open()


def test_closing_ends_the_question_of_another_thread() -> None:
    seen: list[Exception] = []
    with Peer() as peer:
        link = Link(peer.path, timeout=30)
        link.open()

        def ask() -> None:
            try:
                link.ask(b"Q\n")
            except LinkError as error:
                seen.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while peer.heard != b"Q\n":
            time.sleep(0.001)
        link.close()
        asking.join(timeout=5)
    assert len(seen) == 1


def test_an_urgent_message_does_not_wait_for_a_question_under_way() -> None:
    with Peer(lambda came: b"done\n" if came.endswith(b"!") else None) as peer:
        link = Link(peer.path, timeout=30)
        link.open()
        answers: list[bytes] = []
        asking = threading.Thread(target=lambda: answers.append(link.ask(b"Q\n")))
        asking.start()
        while peer.heard != b"Q\n":
            time.sleep(0.001)
        link.tell(b"!", urgent=True)
        asking.join(timeout=5)
        assert answers == [b"done"]
        link.close()


def test_seven_bits_and_parity_on_a_pseudo_terminal_open_again_and_again() -> None:
    with Peer(repeat) as peer:
        for _ in range(4):
            link = Link(peer.path, bytesize=7, parity="E")
            link.open()
            assert link.ask(b"IN_NAME\n") == b"=IN_NAME"
            link.close()


def test_a_port_has_one_owner() -> None:
    with Peer(repeat) as peer:
        first, second = Link(peer.path), Link(peer.path)
        first.open()
        first.open()
        with pytest.raises(LinkError, match="exclusively"):
            second.open()
        first.close()
        second.open()
        second.close()


@pytest.mark.parametrize(
    "url", ["/dev/nowhere", "nonsense://x", "socket://no", "loop://"]
)
def test_what_is_no_port_is_a_link_error(url: str) -> None:
    with pytest.raises(LinkError, match=url):
        Link(url).open()


def test_a_question_is_asked_again_twice_and_no_more() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=0.05)
        link.open()
        with pytest.raises(LinkTimeout):
            link.again(lambda: link.ask(b"Q\n"))
        assert peer.heard == b"Q\n" * (AGAIN + 1)
        link.close()


def test_a_late_answer_is_not_taken_for_the_next_questions() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=0.1, quiet=0.3)
        link.open()
        with pytest.raises(LinkTimeout):
            link.ask(b"first\n")
        peer.say(b"late\n")
        peer.answer = repeat
        peer._unused = b""
        assert link.ask(b"second\n") == b"=second"
        link.close()


def test_a_question_that_is_only_echoed_is_not_answered() -> None:
    with Peer(lambda came: came if came.endswith(b"\n") else None) as peer:
        link = Link(peer.path)
        link.open()
        with pytest.raises(BadReply, match="was only echoed"):
            link.ask(b"Q\n")
        link.close()


def test_an_interrupted_question_is_not_asked_again() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=0.2)
        link.open()
        seen: list[Exception] = []

        def ask() -> None:
            try:
                link.again(lambda: link.ask(b"Q\n"))
            except LinkError as error:
                seen.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while peer.heard != b"Q\n":
            time.sleep(0.001)
        link.interrupt()
        asking.join(timeout=5)
        assert len(seen) == 1
        assert peer.heard == b"Q\n"
        link.close()


def test_lines_that_never_end_meet_the_deadline_of_the_whole_answer() -> None:
    babbling = threading.Event()
    with Peer() as peer:
        link = Link(peer.path, timeout=0.3)
        link.open()

        def babble() -> None:
            while not babbling.wait(0.01):
                peer.say(b"[MSG:again]\n" * 5)

        babbler = threading.Thread(target=babble)
        babbler.start()
        with pytest.raises(LinkTimeout, match=r"lines came, the last '\[MSG:again\]'"):
            link.ask_lines(b"$$\n", lambda line: line == b"ok")
        babbling.set()
        babbler.join()
        link.close()


def test_bytes_that_were_taken_are_not_lost_because_we_looked_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("instruments.port.WRITING", 0.0)
    with Peer(repeat) as peer:
        link = Link(peer.path)
        link.open()
        assert link.ask(b"hello\n") == b"=hello"
        link.close()


def test_a_far_end_that_takes_nothing_does_not_hold_up_an_urgent_message() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=30.0)
        link.open()
        peer._ending.set()  # reads no more
        peer._thread.join()
        filling = threading.Thread(target=lambda: _fill(link))
        filling.start()
        filling.join(timeout=10)
        assert not filling.is_alive()
        with pytest.raises(LinkError):
            link.tell(b"!" * 10000, urgent=True)
        link.close()


def _fill(link: Link) -> None:
    with contextlib.suppress(LinkError):
        while True:
            link.tell(b"." * 4096)


def test_a_port_that_comes_back_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "port"
    with Peer(repeat) as first:
        path.symlink_to(first.path)
        link = Link(str(path))
        link.open()
        first.hang_up()
        with pytest.raises(LinkError):
            link.ask(b"Q\n")
        assert link.lost
        path.unlink()
        with pytest.raises(LinkError):
            link.reopen(0.0)
        assert link.lost
        with Peer(repeat) as second:
            path.symlink_to(second.path)
            link.reopen(1.0)
            assert not link.lost
            assert link.ask(b"Q\n") == b"=Q"
            link.close()
