"""The HTTP face of the stations of one computer: do, state, abort, documents.

======= ======================= ====================================================
method  path                    meaning
======= ======================= ====================================================
PUT     /acts/{action}          begin an act; a known action id is answered, not repeated
GET     /acts/{action}?wait=s   the act when it is over, or as it is after s seconds
GET     /runs/{uid}             the documents of a run
GET     /state                  stations, what each is doing, instruments
POST    /stations/{name}/back   prepare a station that was out of service
POST    /abort                  stop every act of an owner; instruments to safe state
POST    /estop                  safe state at once, latched: nothing acts until ...
POST    /clear                  ... a person clears it
======= ======================= ====================================================

Every request carries the key that the service was started with.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict

from instruments.errors import InstrumentError
from orchestrator.errors import PolyloopError
from orchestrator.station.acts import ActRecord
from orchestrator.station.journal import read_documents
from orchestrator.station.open_lab import OpenLab


class ActRequest(BaseModel):
    """What to do: a step of a recipe, on one sample."""

    model_config = ConfigDict(extra="forbid")
    owner: str
    station: str
    operation: str
    step: str
    sample: str
    trial: str
    slot: str
    parameters: dict[str, Any]


class AbortRequest(BaseModel):
    """Whose acts to stop, and why."""

    model_config = ConfigDict(extra="forbid")
    owner: str
    reason: str


class StopRequest(BaseModel):
    """Who stops everything, and from where."""

    model_config = ConfigDict(extra="forbid")
    who: str
    via: str


def make_app(lab: OpenLab, key: str) -> FastAPI:
    """Return the application that serves the stations of an opened lab."""
    aborted: set[str] = set()
    lock = threading.Lock()

    def check(x_polyloop_key: Annotated[str, Header()] = "") -> None:
        if x_polyloop_key != key:
            raise HTTPException(403, "the key is wrong or missing")

    app = FastAPI(
        title="polyloop station service",
        dependencies=[Depends(check)],
        docs_url=None,
        openapi_url=None,
    )

    @app.put("/acts/{action}")
    def begin(action: str, request: ActRequest) -> dict[str, Any]:
        with lock:
            known = lab.acts.find(action)
            if known is not None:
                return dataclasses.asdict(known)
            if request.owner in aborted:
                raise HTTPException(409, f"{request.owner} was aborted")
            if (held := lab.latch.held) is not None:
                raise HTTPException(
                    409, f"emergency stop by {held['who']}: not cleared"
                )
            station = lab.stations.get(request.station)
            if station is None:
                raise HTTPException(
                    404,
                    f"station {request.station}: not here; this service has "
                    f"{', '.join(lab.stations)}",
                )
            try:
                plan = lab.plan(request.station, request.operation, request.parameters)
            except PolyloopError as error:
                raise HTTPException(422, str(error)) from error
            act = lab.acts.intend(
                ActRecord(action=action, **request.model_dump(exclude={"slot"}))
            )
            station.begin(act, plan)
        return dataclasses.asdict(act)

    @app.get("/acts/{action}")
    def act(action: str, wait: float = 0.0) -> dict[str, Any]:
        known = lab.acts.find(action)
        if known is None:
            raise HTTPException(404, f"act {action}: never intended here")
        station = lab.stations.get(known.station)
        if station is not None and not known.over:
            known = station.wait(action, min(wait, 60.0)) or known
        return dataclasses.asdict(known)

    @app.get("/runs/{uid}")
    def run(uid: str) -> list[Any]:
        if not uid.replace("-", "").isalnum():
            raise HTTPException(422, f"run {uid!r}: not a uid")
        try:
            return list(read_documents(lab.journals, uid))
        except FileNotFoundError as error:
            raise HTTPException(404, f"run {uid}: not recorded here") from error

    @app.get("/state")
    def state() -> dict[str, Any]:
        return lab.state()

    @app.post("/abort")
    def abort(request: AbortRequest) -> dict[str, Any]:
        with lock:
            aborted.add(request.owner)
        lab.halt(request.reason)
        return {"owner": request.owner, "stations": sorted(lab.stations)}

    @app.post("/estop")
    def estop(request: StopRequest) -> dict[str, Any]:
        lab.estop(request.who, request.via)
        return {"stations": sorted(lab.stations)}

    @app.post("/clear")
    def clear(request: StopRequest) -> dict[str, Any]:
        try:
            lab.clear(request.who, request.via)
        except PolyloopError as error:
            raise HTTPException(409, str(error)) from error
        return {"stations": sorted(lab.stations)}

    @app.post("/stations/{name}/back")
    def back(name: str) -> dict[str, Any]:
        station = lab.stations.get(name)
        if station is None:
            raise HTTPException(404, f"station {name}: not here")
        try:
            station.put_back()
        except InstrumentError as error:
            raise HTTPException(409, str(error)) from error
        return {"station": name}

    return app
