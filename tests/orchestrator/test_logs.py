from __future__ import annotations

import logging

import pytest

from instruments.errors import InstrumentError, LinkTimeout
from orchestrator.logs import Foreseen


def logged(error: Exception, cause: Exception | None = None) -> str:
    try:
        raise error from cause
    except type(error) as caught:
        facts = (type(caught), caught, caught.__traceback__)
        record = logging.LogRecord("x", 40, __file__, 1, "run %s", ("ended",), facts)
    assert Foreseen(InstrumentError).filter(record)
    return logging.Formatter().format(record)


def test_foreseen_trouble_is_a_sentence() -> None:
    assert logged(LinkTimeout("pump: no answer")) == "run ended: pump: no answer"


def test_so_is_what_it_caused() -> None:
    text = logged(RuntimeError("plan failed"), LinkTimeout("pump: no answer"))
    assert text == "run ended: pump: no answer"


@pytest.mark.parametrize("cause", [None, KeyError("x")])
def test_what_nobody_foresaw_keeps_its_traceback(cause: Exception | None) -> None:
    text = logged(ZeroDivisionError("by zero"), cause)
    assert text.startswith("run ended\nTraceback") or "Traceback" in text
    assert text.endswith("ZeroDivisionError: by zero")
