"""What polyloop refuses or gives up on, and the exit code of each.

::

    PolyloopError
    ├── Refused           bad input; nothing has moved          → exit 2
    │   └── ConfigError   a file says what cannot be            → names file, line, key, value, rule
    └── CampaignFailed    the campaign ended without its goal   → exit 1
"""

from __future__ import annotations


class PolyloopError(Exception):
    """Anything that reaches the user as a message instead of a traceback."""

    exit_code = 1


class Refused(PolyloopError):
    """The input cannot be accepted; nothing has moved."""

    exit_code = 2


class ConfigError(Refused):
    """A file, key or value that breaks a rule."""


class CampaignFailed(PolyloopError):
    """The campaign ended in failure."""
