"""Calls about the ledger: rates, intervals, outages, notes, snapshots. See docs/engine-api.md."""

import asyncio
from collections.abc import Callable
from itertools import islice
from pathlib import Path
import re
import sqlite3

from aiohttp import web
import orjson

from .api import FacilityConfig
from .api_ledger import AllAsked, Asked, Intervals, LedgerState, Notes, Outages, Rates
from .ledger.intervals import intervals
from .ledger.ledger import Ledger
from .ledger.outages import outages
from .ledger.rates import BYS, rate, rates
from .ledger.reading import NEVER, Reading, StandingRow
from .ledger.sensors import sensors
from .ledger.shown import final
from .ledger.spans import PERS, zone_of

MOST_INTERVALS, MOST_NOTES = 5_000, 1_000
#: What a snapshot may be called: nothing else that lies in the folder is overwritten.
_SNAPSHOT = re.compile(r"ledger-snapshot[A-Za-z0-9_.-]{0,60}")


class LedgerCalls:
    """Answers them, in threads."""

    def __init__(self, ledger: Ledger, facilities: Callable[[str], FacilityConfig | None]) -> None:
        """`facilities` tells a facility by its id."""
        self._ledger = ledger
        self._facilities = facilities

    def routes(self) -> list[web.RouteDef]:
        """The calls."""
        return [
            web.get("/v1/ledger", self._get_ledger),
            web.post("/v1/ledger/snapshot", self._post_snapshot),
            web.get("/v1/rates", self._get_rates),
            web.get("/v1/facilities/{facility}/rates", self._get_facility_rates),
            web.get("/v1/cameras/{camera}/intervals", self._get_intervals),
            web.get("/v1/cameras/{camera}/standings", self._get_standings),
            web.get("/v1/cameras/{camera}/outages", self._get_outages),
            web.get("/v1/notes", self._get_notes),
        ]

    async def _read[T](self, call: Callable[[Reading], T]) -> T:
        def read() -> T:
            with Reading(self._ledger.path) as reading:
                return call(reading)

        try:
            return await asyncio.to_thread(read)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        except (OSError, sqlite3.Error) as error:
            raise web.HTTPServiceUnavailable(text=f"the ledger does not answer: {error}") from error

    async def _get_ledger(self, _request: web.Request) -> web.Response:
        try:
            until_us = await self._read(lambda reading: reading.until_us)
        except web.HTTPServiceUnavailable:
            # That is what is told.
            until_us = None
        state: LedgerState = {
            "problem": self._ledger.problem.value,
            "dropped": self._ledger.dropped,
            "set_aside": self._ledger.set_aside,
            "until": until_us,
        }
        return _json(state)

    def _camera(self, request: web.Request, reading: Reading) -> str:
        """One that is there, be it since a moment ago, or was."""
        camera = request.match_info["camera"]
        if camera not in reading.cameras and not self._ledger.knows(camera):
            raise web.HTTPNotFound(text="no such camera")
        return camera

    async def _get_rates(self, request: web.Request) -> web.Response:
        query = request.query
        by, per = query.get("by", "camera"), query.get("per", "span")
        if by not in BYS or per not in PERS:
            raise web.HTTPBadRequest(text=f"by is one of {', '.join(BYS)}, per one of {', '.join(PERS)}")
        start_us, end_us = _span(request)

        def read(reading: Reading) -> Rates:
            zone = zone_of(query.get("zone", "UTC"))
            found = rates(reading, start_us, end_us, by=by, per=per, zone=zone, facility=query.get("facility"))
            self._ledger.show(final(reading, found))
            return {"rates": [rate(one) for one in found], "until": reading.until_us}

        return _json(await self._read(read))

    async def _get_facility_rates(self, request: web.Request) -> web.Response:
        identity = request.match_info["facility"]
        facility = self._facilities(identity)
        if facility is None:
            raise web.HTTPNotFound(text="no such facility")
        cameras, zone = [one["id"] for one in facility["cameras"]], facility["zone"]
        return _json(await self._read(lambda reading: sensors(reading, identity, cameras, zone)))

    async def _get_intervals(self, request: web.Request) -> web.Response:
        start_us, end_us = _span(request)

        def read(reading: Reading) -> Intervals:
            found = list(
                islice(intervals(reading, self._camera(request, reading), start_us, end_us), MOST_INTERVALS + 1)
            )
            more = len(found) > MOST_INTERVALS
            return {"intervals": found[:MOST_INTERVALS], "until": reading.until_us, "more": more}

        return _json(await self._read(read))

    async def _get_standings(self, request: web.Request) -> web.Response:
        start_us, end_us = _span(request)

        def read(reading: Reading) -> AllAsked:
            found = reading.standings(self._camera(request, reading), start_us, end_us)
            more = len(found) > MOST_INTERVALS
            return {"standings": list(map(_asked, found[:MOST_INTERVALS])), "until": reading.until_us, "more": more}

        return _json(await self._read(read))

    async def _get_outages(self, request: web.Request) -> web.Response:
        start_us, end_us = _span(request)

        def read(reading: Reading) -> Outages:
            found = outages(reading, self._camera(request, reading), start_us, end_us)
            more = len(found) > MOST_INTERVALS
            return {"outages": found[:MOST_INTERVALS], "until": reading.until_us, "more": more}

        return _json(await self._read(read))

    async def _get_notes(self, request: web.Request) -> web.Response:
        start_us, end_us = _span(request)
        facility = request.query.get("facility", "")

        def read(reading: Reading) -> Notes:
            found = reading.notes(facility, start_us, end_us, MOST_NOTES + 1)
            return {"notes": found[:MOST_NOTES], "more": len(found) > MOST_NOTES}

        return _json(await self._read(read))

    async def _post_snapshot(self, request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read())
        except ValueError as error:
            raise web.HTTPBadRequest(text="path is missing") from error
        told = body.get("path") if isinstance(body, dict) else None
        folder = self._ledger.path.parent
        path = Path(told) if isinstance(told, str) else Path()
        if path.parent != folder or not _SNAPSHOT.fullmatch(path.name):
            raise web.HTTPBadRequest(text="path is a file ledger-snapshot… in the engine's folder")
        try:
            await asyncio.to_thread(self._ledger.snapshot, folder / path.name)
        except (OSError, sqlite3.Error) as error:
            raise web.HTTPInsufficientStorage(text=f"the copy could not be written: {error}") from error
        return _json({})


def routes(ledger: Ledger, facilities: Callable[[str], FacilityConfig | None]) -> list[web.RouteDef]:
    """The calls."""
    return LedgerCalls(ledger, facilities).routes()


def _asked(row: StandingRow) -> Asked:
    return {
        "start": row.start_us,
        "end": row.end_us,
        "lasts": bool(row.lasts),
        "standing": row.standing,
        "reason": row.reason,
        "who": row.who,
    }


def _span(request: web.Request) -> tuple[int, int]:
    moments = []
    for name, missing in (("start", "0"), ("end", str(NEVER))):
        text = request.query.get(name, missing)
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise web.HTTPBadRequest(text=f"{name} is not a number")
        moments.append(min(int(text), NEVER))
    return moments[0], moments[1]


def _json(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")
