"""Who gives a command; quick to import, because an emergency stop asks it first."""

from __future__ import annotations

import getpass


def me() -> str:
    """Return the name under which this person is logged in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
