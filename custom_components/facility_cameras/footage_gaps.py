"""Where there is no footage, and why: what the timeline leaves open, with the reasons that the engine gives."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from . import wording
from .engine.api_footage import Gap as Reason, Gaps, Span
from .footage_time import US, Interval
from .hub import HUB

#: A hole shorter than this is not worth a line.
_LEAST_US = 2 * US
#: What was received just now is not on the disk yet.
_NOT_YET_US = 15 * US
#: Reasons told of one gap.
_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """Time without footage, UTC microseconds; `reasons` in words, empty where nothing was to be recorded."""

    start: int
    end: int
    reasons: tuple[str, ...] = ()


async def async_gaps(hass: HomeAssistant, camera_id: str, interval: Interval, spans: Sequence[Span]) -> list[Gap]:
    """The gaps of a camera in a time whose footage is `spans`: from its first footage on, up to now. Raises EngineError."""
    client = hass.data[HUB].client
    start, end = interval.start * US, min(interval.end * US, int(dt_util.utcnow().timestamp() * US) - _NOT_YET_US)
    if (await client.nearest(camera_id, start))["before"] is None:
        start = spans[0]["start"] if spans else end
    found = _holes(spans, start, end)
    if not found:
        return []
    reasons = (await async_known(hass, camera_id, found[0][0], found[-1][1]))["gaps"]
    return [Gap(begin, until, reasons_of(hass, reasons, begin, until)) for begin, until in found]


async def async_gap_at(hass: HomeAssistant, camera_id: str, start: int, end: int) -> Gap:
    """Why there is no footage of [start, end) (UTC microseconds). Raises EngineError."""
    reasons = (await async_known(hass, camera_id, start, end))["gaps"]
    return Gap(start, end, reasons_of(hass, reasons, start, end))


def _holes(spans: Sequence[Span], start: int, end: int) -> list[tuple[int, int]]:
    """What of [start, end) no span covers."""
    found = []
    at = start
    for span in spans:
        if span["start"] - at >= _LEAST_US:
            found.append((at, span["start"]))
        at = max(at, span["end"])
    if end - at >= _LEAST_US:
        found.append((at, end))
    return found


async def async_known(hass: HomeAssistant, camera_id: str, start: int, end: int) -> Gaps:
    """What was to be recorded in [start, end) (UTC microseconds) and is not there. Raises EngineError."""
    return await hass.data[HUB].client.gaps(camera_id, start, end)


def reasons_of(hass: HomeAssistant, reasons: Sequence[Reason], start: int, end: int) -> tuple[str, ...]:
    """What kept a camera from being recorded in [start, end), in words, the longest first."""
    lasted: dict[str, int] = {}
    for reason in reasons:
        overlap = min(reason["end"], end) - max(reason["start"], start)
        if overlap > 0:
            lasted[reason["reason"]] = lasted.get(reason["reason"], 0) + overlap
    longest = sorted(lasted, key=lambda reason: -lasted[reason])[:_MOST_REASONS]
    return tuple(wording.words(hass, f"gap_{reason}") for reason in longest)
