"""What the hub's sensors show of a facility: today, 7 and 30 days in its zone, last outages, the worst cameras. Blocks."""

from datetime import UTC, tzinfo

from ..api_ledger import CameraRates, FacilityRates, Rate
from .outages import last_outage
from .rates import Figures, Subject, Tally, figures, rate
from .reading import Reading
from .spans import midnight, zone_of

#: Today, and with how many days before it.
_BEFORE = {"today": 0, "week": 6, "month": 29}
WORST = 5


def sensors(reading: Reading, facility: str, cameras: list[str], zone_name: str) -> FacilityRates:
    """Of the facility and those of its cameras that are there now. In today's figures of the facility those that were
    removed or retired are not, in the others they are. A zone that this machine does not know is taken for UTC. Raises
    sqlite3.Error.
    """
    until_us = reading.until_us
    zone: tzinfo
    try:
        zone = zone_of(zone_name)
    except ValueError:
        zone = UTC
    asked = {camera for camera in cameras if reading.asked(camera)}
    of_cameras: dict[str, dict[str, Rate]] = {}
    of_all: dict[str, Rate] = {}
    for name, before in _BEFORE.items():
        start_us = midnight(until_us, zone, before)
        found = {one.subject.camera: one for one in figures(reading, [(start_us, until_us)], "camera", facility)}
        total = Tally()
        for camera, one in found.items():
            if before or camera in asked:
                total.add(one.tally)
        of_cameras[name] = {
            camera: rate(found.get(camera) or Figures(start_us, until_us, Subject(camera, facility), Tally(), ""))
            for camera in cameras
        }
        of_all[name] = rate(Figures(start_us, until_us, Subject(None, facility), total, ""))
    told: list[CameraRates] = [
        {
            "id": camera,
            "today": of_cameras["today"][camera],
            "week": of_cameras["week"][camera],
            "month": of_cameras["month"][camera],
            "last_outage": last_outage(reading, camera),
        }
        for camera in cameras
    ]
    weeks = [(one["week"], one["id"]) for one in told if one["id"] in asked and not one["week"]["collecting"]]
    worst = sorted((week["rate"], camera) for week, camera in weeks if week["rate"] is not None and week["rate"] < 1.0)
    return {
        "cameras": told,
        "today": of_all["today"],
        "week": of_all["week"],
        "month": of_all["month"],
        "worst": [camera for _, camera in worst[:WORST]],
        "until": until_us,
    }
