"""What can go wrong with an instrument, and what to do about it.

::

    InstrumentError
    ├── LinkError        the cable: the state of the device is unknown
    │   ├── LinkTimeout  no answer in time          → ask again if the question changes nothing
    │   └── BadReply     an answer we cannot read   → flush, then ask again
    ├── WrongModel       another instrument answers → refuse the lab, call a person
    └── DeviceError      the device answered, and said no
        ├── Rejected     a bad recipe or a bug      → do not retry
        ├── Stopped      ended by `stop`, as asked  → prepare before anything else
        ├── Restarted    it has forgotten its state → prepare before anything else
        └── Fault        hardware in trouble        → stop the station, call a person

A message names the place (instrument and port), the value and the rule.
"""

from __future__ import annotations


class InstrumentError(Exception):
    """Any trouble with an instrument."""


class LinkError(InstrumentError):
    """The cable failed; the state of the device is unknown."""


class LinkTimeout(LinkError):
    """No answer, or only part of one, before the deadline."""


class BadReply(LinkError):
    """An answer that cannot be read."""


class WrongModel(InstrumentError):
    """Something answers, but not the instrument that the lab file promises."""


class DeviceError(InstrumentError):
    """The device answered, and said no."""


class Rejected(DeviceError):
    """The device, or the driver before it, refused a command."""


class Stopped(DeviceError):
    """Somebody stopped the device before it had done what it was told."""


class Restarted(DeviceError):
    """The device was switched off, or reset, and has forgotten what it was told."""


class Fault(DeviceError):
    """The device reports hardware in trouble."""
