"""Stylus profilometer without a port: its own program drops a file for every scan.

The instrument scans what is put down and exports a profile into a folder; `profile`
tells the format. A file counts once it is complete: under its last name (a program that
writes ``.part`` and renames it is believed at once) and ending in ``# end``.

Which file belongs to the sample: the one that came since the last was read, or since the
driver was prepared. The scan may be over before anybody asks, so a file that is there
already when `trigger` is called counts; each counts once. Of several the newest is
taken, because a sample is only put down when the one before has gone.

Nothing can be told to the instrument, so nothing can be stopped: safe at any time.

Unverified: a scan that was broken off gives no file here, so that `trigger` fails when
its patience is over.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.clock import Clock
from instruments.device import Instrument
from instruments.errors import BadReply, LinkError, LinkTimeout
from instruments.link import Identity, Link
from instruments.profile import complete, read_profile, step_of
from instruments.signals import ReadBack

POLL = 2.0
"""Lab seconds between two looks into the folder."""
GRACE = 5.0
"""Real seconds beside the patience in lab time: a folder may be on a slow share."""


@dataclass(frozen=True, slots=True)
class ProfilometerSettings:
    """What the lab file says of a profilometer.

    Attributes
    ----------
    files:
        Pattern of the names that count.
    patience:
        How long a scan may take.
    """

    files: str = "*.csv"
    patience: Annotated[float, "s"] = 600.0


class FolderClient:
    """The files of a folder; no threads."""

    def __init__(self, folder: Path, files: str, place: str) -> None:
        self.folder = folder
        self.files = files
        self.place = place

    def names(self) -> list[str]:
        """Return the files there are, the oldest first."""
        try:
            if not self.folder.is_dir():
                raise LinkError(f"{self.place}: there is no such folder")
            found = [(path.stat().st_mtime_ns, path.name) for path in self._paths()]
        except OSError as error:
            raise LinkError(f"{self.place}: cannot be read: {error}") from error
        return [name for _, name in sorted(found)]

    def text(self, name: str) -> str:
        """Return what is in a file."""
        try:
            return (self.folder / name).read_text("ascii")
        except OSError as error:
            raise LinkError(f"{self.place}: {name}: cannot be read: {error}") from error
        except UnicodeDecodeError as error:
            raise BadReply(f"{self.place}: {name}: must be ASCII: {error}") from error

    def _paths(self) -> list[Path]:
        return [path for path in self.folder.glob(self.files) if path.is_file()]


class Profilometer(Instrument):
    """Waits for the file of a scan and takes the height of its step."""

    Settings: ClassVar[type] = ProfilometerSettings
    settings: ProfilometerSettings

    thickness = Component(ReadBack, units="nm", precision=1)
    uncertainty = Component(ReadBack, units="nm", precision=1)
    file = Component(ReadBack, units="", value="")

    def __init__(
        self, name: str, *, port: str, settings: ProfilometerSettings, clock: Clock
    ) -> None:
        super().__init__(name, port=port, settings=settings, clock=clock)
        self.client = FolderClient(Path(port), settings.files, self.where)
        self._seen: frozenset[str] = frozenset()

    def make_link(self, port: str) -> Link:
        """Return a link that is never opened; it only says where, in messages."""
        return Link(port, name=self.name)

    def connect(self) -> Identity:
        """See that the folder is there; the last file says who writes into it."""
        names = self.client.names()
        program = ""
        if names:
            program = _program(self.client.text(names[-1]))
        return Identity("", program or f"folder {self.client.folder.name}")

    def prepare(self) -> None:
        """Take what is there for old."""
        with self._guard:
            self._cancelled = threading.Event()
            self._stopped = False
        self._seen = frozenset(self.client.names())

    def trigger(self) -> DeviceStatus:
        """Wait for the next file and read it; done when it has been read."""
        return self.begin(
            self._wait, within=self.settings.patience + GRACE * self.clock.speed
        )

    def refresh(self) -> None:
        """Nothing to ask: only a new file says something new."""

    def _wait(self, cancelled: threading.Event) -> None:
        patience = self.settings.patience + GRACE * self.clock.speed
        deadline = self.clock.now() + patience
        while True:
            self.pause(0.0, cancelled)
            names = self.client.names()
            fresh = [name for name in names if name not in self._seen]
            if fresh and complete(text := self.client.text(fresh[-1])):
                self._seen = frozenset(names)
                self._keep(fresh[-1], text)
                return
            if self.clock.now() > deadline:
                break
            self.pause(POLL, cancelled)
        if fresh:  # say by its line what is wrong with it, and never look at it again
            self._seen = frozenset(names)
            self._keep(fresh[-1], text)
        raise LinkTimeout(
            f"{self.where}: no new file {self.settings.files} within {patience:g} s; "
            f"the last is {names[-1] if names else 'none'}"
        )

    def _keep(self, name: str, text: str) -> None:
        step = step_of(read_profile(text, f"{self.where}: {name}"))
        self.thickness.keep(step.height)
        self.uncertainty.keep(step.uncertainty)
        self.file.keep(name)


def _program(text: str) -> str:
    """Return the program that wrote a file, or nothing if it does not say."""
    for line in text.splitlines()[:10]:
        if line.startswith("# program: "):
            return line.removeprefix("# program: ").strip()
    return ""


DRIVER = Profilometer
