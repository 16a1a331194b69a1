"""The action that tells automations what footage there is: spans, gaps with reasons, bytes, completeness, camera by camera."""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from homeassistant.auth.permissions.const import POLICY_READ
from homeassistant.components.camera.const import DOMAIN as CAMERA_DOMAIN
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType
import voluptuous as vol

from .actions import async_check, cameras_of_call
from .const import DOMAIN
from .coordinator import FacilityConfigEntry
from .engine.api_footage import HoldState
from .engine_client import EngineError
from .footage_gaps import async_known
from .footage_time import US, async_zone, local, moment
from .holds import async_held
from .hub import HUB

ACTION_RECORDINGS = "recordings"
ATTR_START, ATTR_END = "start", "end"

#: Asked for at once.
_LONGEST = timedelta(days=31)
_MOST_CAMERAS = 100
#: Spans and gaps told of one camera; `more` says that there are others after them.
_MOST_PIECES = 500

_RECORDINGS = vol.Schema(
    {
        **cv.ENTITY_SERVICE_FIELDS,
        vol.Required(ATTR_START): cv.datetime,
        vol.Optional(ATTR_END): cv.datetime,
    }
)


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register the action, once, whether a facility is set up or not."""
    hass.services.async_register(
        DOMAIN, ACTION_RECORDINGS, _async_recordings, _RECORDINGS, supports_response=SupportsResponse.ONLY
    )


async def _async_recordings(call: ServiceCall) -> ServiceResponse:
    """Tell what there is of the cameras named, between two times; one without a zone is of the facility's."""
    cameras = cameras_of_call(call)
    if not cameras:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_camera_chosen")
    if len(cameras) > _MOST_CAMERAS:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="too_many_cameras",
            translation_placeholders={"most": str(_MOST_CAMERAS)},
        )
    for camera_id in cameras:
        await async_check(call, CAMERA_DOMAIN, f"{camera_id}_camera", POLICY_READ)
    told: list[JsonValueType] = []
    holds: dict[str, list[HoldState]] = {}
    for camera_id, entry in cameras.items():
        zone = await async_zone(entry)
        start = moment(call.data[ATTR_START], zone)
        end = moment(call.data[ATTR_END], zone) if ATTR_END in call.data else dt_util.utcnow()
        if not timedelta() < end - start <= _LONGEST:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="times_not_usable",
                translation_placeholders={"days": str(_LONGEST.days)},
            )
        try:
            if entry.entry_id not in holds:
                holds[entry.entry_id] = await async_held(call.hass, entry.entry_id)
            span = _us(start), _us(end)
            told.append(await _async_told(call.hass, entry, camera_id, zone, *span, holds[entry.entry_id]))
        except EngineError as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error
    return {"cameras": told}


async def _async_told(
    hass: HomeAssistant,
    entry: FacilityConfigEntry,
    camera_id: str,
    zone: tzinfo,
    start: int,
    end: int,
    holds: Iterable[HoldState],
) -> dict[str, JsonValueType]:
    """What there is of one camera in [start, end), UTC microseconds. Raises EngineError."""
    client = hass.data[HUB].client
    spans = await client.spans(camera_id, start, end)
    known = await async_known(hass, camera_id, start, end)
    size = await client.size(camera_id, start, end)
    held = [hold for hold in holds if hold["camera"] == camera_id and hold["start"] < end and hold["end"] > start]
    pieces: list[JsonValueType] = [
        {"start": _iso(zone, span["start"]), "end": _iso(zone, span["end"]), "codec": span["codec"]}
        for span in spans[:_MOST_PIECES]
    ]
    gaps: list[JsonValueType] = [
        {
            "start": _iso(zone, gap["start"]),
            "end": _iso(zone, gap["end"]),
            "reason": gap["reason"],
            "cause": gap["cause"] or None,
        }
        for gap in known["gaps"][:_MOST_PIECES]
    ]
    protected: list[JsonValueType] = [
        {
            "start": _iso(zone, hold["start"]),
            "end": _iso(zone, hold["end"]),
            "reason": hold["reason"],
            "hold_id": hold["id"],
        }
        for hold in held[:_MOST_PIECES]
    ]
    return {
        "entity_id": er.async_get(hass).async_get_entity_id(CAMERA_DOMAIN, DOMAIN, f"{camera_id}_camera"),
        "camera": entry.runtime_data.cameras()[camera_id].title,
        "facility": entry.title,
        "time_zone": str(zone),
        "start": _iso(zone, start),
        "end": _iso(zone, end),
        "spans": pieces,
        "gaps": gaps,
        "protected": protected,
        "more": len(held) > _MOST_PIECES
        or len(spans) > _MOST_PIECES
        or len(known["gaps"]) > _MOST_PIECES
        or known["more"],
        "recorded_seconds": round(sum(span["end"] - span["start"] for span in spans) / US, 3),
        "bytes": size["bytes"],
        "files": size["files"],
        # Nothing was to be recorded: neither complete nor not.
        "completeness": round(min(known["footage_s"] / known["wanted_s"], 1.0), 5) if known["wanted_s"] else None,
    }


def _us(moment: datetime) -> int:
    return max(round(moment.timestamp() * US), 0)


def _iso(zone: tzinfo, microseconds: int) -> str:
    return local(zone, microseconds).isoformat(timespec="milliseconds")
