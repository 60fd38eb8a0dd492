"""What polyloop's processes write into their logs of trouble that was foreseen.

An instrument that does not answer, a campaign that stops for now: these are sentences.
A traceback is for what nobody foresaw.
"""

from __future__ import annotations

import logging


class Foreseen(logging.Filter):
    """Leaves out the traceback of an error that has a kind of its own, and says it.

    Parameters
    ----------
    kinds:
        The errors that were foreseen; another one that such an error caused as well.
    """

    def __init__(self, *kinds: type[BaseException]) -> None:
        super().__init__()
        self.kinds = kinds

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: nothing is left unsaid but where in the code it was said."""
        error = record.exc_info[1] if record.exc_info else None
        while error is not None and not isinstance(error, self.kinds):
            error = error.__cause__
        if error is not None:
            text, said = record.getMessage(), str(error)
            record.msg = text if said in text or not said else f"{text}: {said}"
            record.args = ()
            record.exc_info, record.exc_text = None, None
        return True
