"""What a GRBL controller tells of itself: the status report and the ``$`` listings."""

from __future__ import annotations

from collections.abc import Iterable

from sims.grbl_motion import PLANNER, Motion
from sims.models.gcode import INCH

HELP = "[HLP:$$ $# $G $I $N $x=val $Nx=line $J=line $SLP $C $X $H ~ ! ? ctrl-x]"
BUFFER = 128
REFRESH = {"WCO": (30, 10), "Ov": (20, 10)}
"""Every how many reports a field is there: while busy, and while idle."""


class Report:
    """Texts made of the state of the motion."""

    def __init__(self, motion: Motion) -> None:
        self.motion = motion
        self.reset()

    def reset(self) -> None:
        """Have every field due in the next report."""
        self._counters = dict.fromkeys(REFRESH, 0)

    def renew(self, field: str) -> None:
        """Have a field that changed in the next report."""
        self._counters[field] = 0

    def status(self, held: int) -> str:
        """Return the answer to ``?``, with ``held`` characters in the receive buffer."""
        motion, gantry, modal = self.motion, self.motion.gantry, self.motion.gcode.modal
        mask = int(motion.eeprom[10])
        offset = motion.gcode.offset
        machine = gantry.counted
        work = [m - o for m, o in zip(machine, offset, strict=True)]
        fields = [motion.state]
        fields.append(
            "MPos:" + self._text(machine) if mask & 1 else "WPos:" + self._text(work)
        )
        if mask & 2:
            fields.append(f"Bf:{PLANNER - len(gantry.queue)},{BUFFER - held}")
        feed = gantry.speed * 60 / (INCH if motion.eeprom[13] else 1.0)
        turns = modal.speed if modal.spindle != 5 else 0.0
        fields.append(f"FS:{feed:.0f},{turns:.0f}")
        if self._due("WCO"):
            fields.append("WCO:" + self._text(offset))
            if self._counters["Ov"] == 0:
                self._counters["Ov"] = 1
        if self._due("Ov"):
            percents = gantry.feed_percent, gantry.rapid_percent, motion.spindle_percent
            fields.append("Ov:" + ",".join(map(str, percents)))
            on = "S" * (modal.spindle == 3) + "C" * (modal.spindle == 4)
            on += "F" * modal.flood + "M" * modal.mist
            if on:
                fields.append(f"A:{on}")
        return f"<{'|'.join(fields)}>"

    def listing(self, line: str) -> list[str]:
        """Return what ``$`` and ``line`` list before the ok; most list nothing."""
        motion = self.motion
        if line == "":
            return [HELP]
        if line == "$":
            return motion.eeprom.lines()
        if line == "#":
            return self._parameters()
        if line == "G":
            return [f"[GC:{motion.gcode.modal.report()}]"]
        if line == "I":
            return ["[VER:1.1h.20190825:]", f"[OPT:V,{PLANNER},{BUFFER}]"]
        if line == "N":
            return [f"${block}={text}" for block, text in motion.eeprom.blocks.items()]
        return []

    def _parameters(self) -> list[str]:
        gcode = self.motion.gcode
        return [
            *(f"[{name}:{self._text(at)}]" for name, at in gcode.systems.items()),
            f"[G92:{self._text(gcode.shift)}]",
            f"[TLO:{self._text([gcode.tool_length])}]",
            f"[PRB:{self._text((0.0, 0.0, 0.0))}:0]",
        ]

    def _text(self, values: Iterable[float]) -> str:
        scale, digits = (1 / INCH, 4) if self.motion.eeprom[13] else (1.0, 3)
        return ",".join(
            f"{round(one * scale, digits) + 0.0:.{digits}f}" for one in values
        )

    def _due(self, field: str) -> bool:
        if self._counters[field] > 0:
            self._counters[field] -= 1
            return False
        busy, idle = REFRESH[field]
        state = self.motion.state.partition(":")[0]
        moving = state in ("Run", "Home", "Hold", "Jog", "Door")
        self._counters[field] = (busy if moving else idle) - 1
        return True
