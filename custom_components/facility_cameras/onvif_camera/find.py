"""Find the port where a camera speaks ONVIF: one plain request for the time each, without login (CAMERAS.md O5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .address import DEVICE_PATH, Address
from .answer import FaultedError, NotSoapError, RefusedError, read_answer
from .clock import clock_offset, http_clock_offset
from .errors import OnvifCause, OnvifError
from .soap import Service, open_service
from .transport import CameraHttp

_AT_ONCE = 4
#: If no port speaks ONVIF: which of the failures tells most about what to do.
_TELLING = (
    OnvifCause.ADDRESS_INVALID,
    OnvifCause.NAME_NOT_FOUND,
    OnvifCause.BAD_ANSWER,
    OnvifCause.NOT_ONVIF,
    OnvifCause.CONNECTION_LOST,
    OnvifCause.CONNECTION_REFUSED,
    OnvifCause.NO_ANSWER,
)


@dataclass(frozen=True, slots=True)
class Found:
    """Where it speaks ONVIF. `sure` is False where something only asked for a login: that may be any web server.

    `clock_offset_s` as the camera told it; `signing_offset_s` the best guess for signing where it did not.
    """

    address: Address
    sure: bool
    clock_offset_s: float | None
    signing_offset_s: float


async def find_service(http: CameraHttp, address: Address, ports: Sequence[int]) -> Found:
    """The first of `ports` that speaks ONVIF (of equals the first in the list). Raises OnvifError."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(port: int) -> Found | OnvifError:
        async with gate:
            try:
                return await _ask_time(http, replace(address, port=port))
            except OnvifError as error:
                return error

    tasks = [asyncio.create_task(ask(port)) for port in dict.fromkeys(ports)]
    try:
        unsure, failures = [], []
        for task in tasks:
            outcome = await task
            if isinstance(outcome, OnvifError):
                failures.append(outcome)
            elif outcome.sure:
                return outcome
            else:
                unsure.append(outcome)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if unsure:
        return unsure[0]
    worst = min(failures, key=lambda failure: _TELLING.index(failure.cause))
    same = [failure for failure in failures if failure.cause is worst.cause]
    told = ", ".join(failure.placeholders["port"] for failure in same)
    raise OnvifError(worst.cause, **{**worst.placeholders, "port": told})


async def _ask_time(http: CameraHttp, address: Address) -> Found:
    """Ask at the path given, and at the usual one if that speaks no SOAP."""
    paths = dict.fromkeys((address.path, DEVICE_PATH))
    for path in paths:
        client = await open_service(http, address, Service.DEVICE, path)
        reply = await client.ask("GetSystemDateAndTime", None, sign=False)
        http_offset = http_clock_offset(reply) or 0.0
        try:
            offset = clock_offset(read_answer(reply), reply)
        except NotSoapError:
            continue
        except RefusedError:
            # A SOAP fault tells that this is ONVIF; a bare 401 may come from any web server.
            sure = b"Envelope" in reply.body
            return Found(replace(address, path=path), sure, None, http_offset)
        except FaultedError:
            offset = None
        return Found(replace(address, path=path), True, offset, http_offset if offset is None else offset)
    raise OnvifError(OnvifCause.NOT_ONVIF, host=address.host, port=str(address.port))
