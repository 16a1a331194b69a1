"""Adds the demo's facilities and cameras through the dialogues of Home Assistant, as a technician does."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .client import Client
from .flow import fields, walk
from .problem import DemoError
from .site import PASSWORD, USERNAME, DemoCamera, Site

DOMAIN = "facility_cameras"
_DAYS_TO_KEEP = 1


@dataclass(frozen=True, slots=True)
class Added:
    """A camera as Home Assistant knows it: ids, and its entities by key (camera, connectivity, status, recording)."""

    camera: DemoCamera
    entry_id: str
    camera_id: str
    entities: Mapping[str, str]


async def set_up(client: Client, site: Site, footage: Path) -> None:
    """Add every facility and camera that is not there yet. Raises `DemoError` if a dialogue refuses."""
    for facility, cameras in site.facilities().items():
        entry_id = (await _facilities(client)).get(facility) or await _add_facility(client, facility, cameras, footage)
        known = await _subentries(client, entry_id)
        for camera in cameras:
            if camera.name not in known:
                await _add_camera(client, entry_id, camera)


async def added(client: Client, site: Site) -> list[Added]:
    """Every camera of the site with its entities, as far as they are there."""
    entities: dict[str, dict[str, str]] = {}
    for entity in await client.call("config/entity_registry/list"):
        if entity["platform"] == DOMAIN:
            owner, _, key = entity["unique_id"].partition("_")
            entities.setdefault(owner, {})[key] = entity["entity_id"]
    found = []
    facilities = await _facilities(client)
    for facility, cameras in site.facilities().items():
        known = await _subentries(client, facilities[facility])
        found += [
            Added(camera, facilities[facility], known[camera.name], entities.get(known[camera.name], {}))
            for camera in cameras
        ]
    return found


async def _facilities(client: Client) -> dict[str, str]:
    entries = await client.get(f"/api/config/config_entries/entry?domain={DOMAIN}")
    return {entry["title"]: entry["entry_id"] for entry in entries}


async def _subentries(client: Client, entry_id: str) -> dict[str, str]:
    found = await client.call("config_entries/subentries/list", entry_id=entry_id)
    return {subentry["title"]: subentry["subentry_id"] for subentry in found}


async def _add_facility(client: Client, name: str, cameras: list[DemoCamera], footage: Path) -> str:
    answers = {
        "user": {"name": name, "planned_cameras": len(cameras), "username": USERNAME, "password": PASSWORD},
        "footage": {"archive": str(footage), "days_to_keep": _DAYS_TO_KEEP},
        "footage_confirm": {},
    }
    result = await walk(client, {"handler": DOMAIN}, answers, subentry=False)
    if result["type"] != "create_entry":
        raise DemoError(f"Home Assistant did not add the facility {name}: {result.get('reason')}")
    if next_flow := result.get("next_flow"):
        # The page goes on to the first camera in this one; here each camera begins its own.
        await client.delete(f"/api/config/config_entries/subentries/flow/{next_flow[1]}")
    return str(result["result"]["entry_id"])


async def _add_camera(client: Client, entry_id: str, camera: DemoCamera) -> None:
    def profile(step: Mapping[str, Any]) -> dict[str, Any]:
        return {"profile": fields(step)["profile"]["default"]}

    answers = {
        "user": {"address": camera.address},
        "profile": profile,
        "confirm": {"name": camera.name, "zone": camera.zone, "audio": False},
    }
    result = await walk(client, {"handler": [entry_id, "camera"]}, answers, subentry=True)
    if result["type"] != "create_entry":
        raise DemoError(f"Home Assistant did not add the camera {camera.name}: {result.get('reason')}")
