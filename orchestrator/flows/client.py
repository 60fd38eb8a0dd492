"""A client of Prefect's server for threads that must not wait long for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

TIMEOUT = 5.0
"""Real seconds that a request may take."""


@contextmanager
def impatient_client() -> Iterator[SyncPrefectClient]:
    """Open a client that fails at once; Prefect's own tries for a minute.

    Its calls raise `httpx.HTTPError` while the server is away.
    """
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT}) as client,
    ):
        yield client
