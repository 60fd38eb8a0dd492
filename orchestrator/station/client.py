"""The other side of the station service: what the flow process asks it."""

from __future__ import annotations

from typing import Any

import httpx

from orchestrator.errors import PolyloopError
from orchestrator.records import Document, Step
from orchestrator.station.acts import ActRecord, ActState, FaultClass, act_of


class StationError(PolyloopError):
    """The station service cannot be reached, or refuses what it is asked."""


class LimitRefused(StationError):
    """The service refuses an act before anything is sent: a value beyond a limit."""


class StationClient:
    """Ask one station service; safe from several threads.

    Every question here may be asked twice: an action id that the service knows is
    answered and not carried out again.
    """

    def __init__(self, address: str, key: str, timeout: float = 90.0) -> None:
        self.address = address
        self._http = httpx.Client(
            base_url=address,
            headers={"X-Polyloop-Key": key},
            timeout=httpx.Timeout(min(timeout, 10.0), read=timeout),
            trust_env=False,
        )

    def do(
        self, action: str, step: Step, *, owner: str, sample: str, trial: str
    ) -> ActRecord:
        """Carry out a step and return its act when it is over."""
        body = {
            "owner": owner,
            "station": step.station,
            "operation": step.operation,
            "step": step.name,
            "sample": sample,
            "trial": trial,
            "slot": step.slot,
            "parameters": dict(step.parameters),
        }
        try:
            act = act_of(self._ask("PUT", f"/acts/{action}", json=body))
        except LimitRefused as refused:
            return ActRecord(
                action=action,
                owner=owner,
                station=step.station,
                operation=step.operation,
                step=step.name,
                sample=sample,
                trial=trial,
                state=ActState.FAILED,
                reason=str(refused),
                fault=FaultClass.REJECTED,
            )
        while not act.over:
            act = act_of(self._ask("GET", f"/acts/{action}", params={"wait": 30.0}))
        return act

    def find(self, action: str) -> ActRecord | None:
        """Return an act as the service knows it, or None when it never heard of it."""
        try:
            answer = self._http.get(f"/acts/{action}")
        except httpx.HTTPError as error:
            raise StationError(f"{self.address}: {error}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return act_of(_json(answer))

    def documents(self, uid: str) -> list[Document]:
        """Return the documents of a run."""
        return [(name, body) for name, body in self._ask("GET", f"/runs/{uid}")]

    def state(self, timeout: float = 90.0) -> dict[str, Any]:
        """Return stations, acts and instruments; ``timeout`` in real seconds."""
        answer: dict[str, Any] = self._ask("GET", "/state", timeout=timeout)
        return answer

    def abort(self, owner: str, reason: str) -> None:
        """Stop every act of an owner and put the instruments in their safe state."""
        self._ask("POST", "/abort", json={"owner": owner, "reason": reason})

    def put_back(self, station: str) -> None:
        """Have a station that was out of service prepared."""
        self._ask("POST", f"/stations/{station}/back")

    def clear(self, who: str, via: str) -> None:
        """Let the instruments act again after an emergency stop."""
        self._ask("POST", "/clear", json={"who": who, "via": via})

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        try:
            answer = self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise StationError(
                f"the station service at {self.address} does not answer "
                f"({type(error).__name__})"
            ) from error
        return _json(answer)


def _json(answer: httpx.Response) -> Any:
    if answer.is_error:
        try:
            detail = answer.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = answer.text
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise LimitRefused(str(detail))
        raise StationError(str(detail))
    return answer.json()
