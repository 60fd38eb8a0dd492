"""An act whose acknowledgement is lost is looked for, not repeated.

A question that changes nothing may be asked again (`Link.again`); what moves matter may
not. So the instrument is asked whether it took the act, and only one that says that it
did not is told once more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from instruments.errors import BadReply, LinkError, LinkTimeout

log = logging.getLogger(__name__)


def act_once(
    what: str,
    *,
    send: Callable[[], None],
    taken: Callable[[], bool],
    go_on: Callable[[], None],
) -> None:
    """Have an instrument do something once, even if its acknowledgement is lost.

    Parameters
    ----------
    what:
        Place and act, for messages.
    send:
        Tells the instrument, and reads what it answers.
    taken:
        Asks whether it was taken: is it under way, or done, or has nothing changed?
        Raises `LinkError` with what is known if that cannot be told.
    go_on:
        Raises `Stopped` if nothing may be sent any more.

    Raises
    ------
    LinkError
        If it is not known whether the act was taken, or if it was sent twice in vain.
    """
    for last in (False, True):
        go_on()
        try:
            send()
        except (LinkTimeout, BadReply) as lost:
            try:
                was_taken = taken()
            except LinkError as unknown:
                raise LinkError(
                    f"{what}: may or may not have been taken: {unknown}"
                ) from lost
            log.warning(
                "%s: its answer was lost (%s), but it was %s",
                what,
                lost,
                "taken" if was_taken else "not taken",
            )
            if was_taken:
                return
            if last:
                raise LinkError(f"{what}: sent twice, and not taken: {lost}") from lost
        except LinkError as gone:
            raise LinkError(f"{what}: may or may not have been taken: {gone}") from gone
        else:
            return
