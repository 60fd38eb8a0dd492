"""What goes over a GPIB adapter: which instrument has which address, and its escapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sims import spec as checks
from sims.scpi_panel import ScpiPanel
from sims.spec import BadBench

ESCAPE = 0x1B
HIGHEST = 30


def bus(spec: Mapping[str, Any], held: Any, where: str) -> dict[int, str]:
    """Return which instrument is at which address.

    Raises
    ------
    BadBench
        If an address is none, or an instrument is not on the bench or has a port.
    """
    # The bench imports panels by name, and this module with them.
    from sims.bench import panel_class

    made: dict[int, str] = {}
    others = checks.section(spec, "instruments")
    if not isinstance(held, Mapping):
        raise BadBench(f"{where}.instruments: expected {{17: name}}, got {held!r}")
    for address, name in held.items():
        place = f"{where}.instruments.{address}"
        if isinstance(address, bool) or not isinstance(address, int):
            raise BadBench(f"{place}: {address!r} is not a GPIB address")
        if not 0 <= address <= HIGHEST:
            raise BadBench(f"{place}: {address} is not 0 to {HIGHEST}")
        if name not in others:
            raise BadBench(f"{place}: there is no instrument {name!r}")
        entry = checks.mapping(others[name], f"instruments.{name}")
        if not issubclass(panel_class(entry.get("panel"), place), ScpiPanel):
            raise BadBench(f"{place}: {name!r} has no GPIB")
        if "port" in entry or "tcp" in entry:
            raise BadBench(f"{place}: {name!r} has a port of its own")
        made[address] = str(name)
    return made


def cut_escaped(data: bytes) -> tuple[list[bytes], bytes]:
    r"""Cut at each CR and LF that is not escaped; return lines and what is no line yet.

    >>> cut_escaped(b"*IDN?\n:X \x1b\n\r++re")
    ([b'*IDN?', b':X \x1b\n'], b'++re')
    """
    lines, begin, escaped = [], 0, False
    for place, byte in enumerate(data):
        if escaped:
            escaped = False
        elif byte == ESCAPE:
            escaped = True
        elif byte in b"\r\n":
            lines.append(data[begin:place])
            begin = place + 1
    return lines, data[begin:]


def plain(message: bytes) -> bytes:
    r"""Return a message as the bus sees it, without the escapes.

    >>> plain(b":FREQ \x1b+2000")
    b':FREQ +2000'
    """
    return re.sub(rb"\x1b(.)", rb"\1", message, flags=re.DOTALL)
