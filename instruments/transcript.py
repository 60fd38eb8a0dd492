r"""What is said on a link, written down as the transcripts in ``tests/wire`` are.

``> bytes`` is what we said, ``< bytes`` what the instrument said, in ASCII with Python's
escapes; consecutive lines of one direction are one stream.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator


class Transcript:
    """Listens on one link; see `instruments.link.Link.witness`."""

    def __init__(self) -> None:
        self._said: list[tuple[str, bytearray]] = []
        self._lock = threading.Lock()

    def hear(self, direction: str, data: bytes) -> None:
        """Take note of bytes that were said: ``>`` by us, ``<`` by the instrument."""
        with self._lock:
            if not self._said or self._said[-1][0] != direction:
                self._said.append((direction, bytearray()))
            self._said[-1][1].extend(data)

    def lines(self) -> Iterator[str]:
        r"""Yield what was said, a new line after each ``\n``.

        Examples
        --------
        >>> heard = Transcript()
        >>> heard.hear(">", b"?")
        >>> heard.hear("<", b"<Idle>\r\nok\r\n")
        >>> list(heard.lines())
        ['> ?', '< <Idle>\\r\\n', '< ok\\r\\n']
        """
        with self._lock:
            said = [(direction, bytes(data)) for direction, data in self._said]
        for direction, data in said:
            for part in data.splitlines(keepends=True) or [b""]:
                text = part.decode("latin-1").encode("unicode_escape").decode("ascii")
                yield f"{direction} {text}"
