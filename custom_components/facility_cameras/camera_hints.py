"""Hints about cameras that work, but not as they should: their own clock, key pictures, lost packets, addresses.

Each is told once, as a repair, with what to do. What is measured has to be so for ten minutes of observed time before it
is told, and otherwise for ten minutes before it is taken back: no hint comes and goes. `issues.py` keeps them true.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from yarl import URL

from .camera_device import CameraDevice, address_key
from .const import CONF_RETIRED, DOMAIN
from .coordinator import CONNECTED, FacilityCoordinator, cameras_of

#: For how long something has to be so, seconds.
LASTING_S = 600.0
#: States further apart than this leave a time in which nobody observed: figures come every 10 s.
_BREAK_S = 60.0
#: A camera's clock is wrong from so many seconds on, and right again within so many.
_CLOCK_WRONG_S, _CLOCK_RIGHT_S = 60.0, 30.0
#: Zones are whole half hours; none is further than this from UTC.
_ZONE_STEP_S, _ZONE_MOST_S = 1800.0, 14 * 3600.0
#: Seconds from key picture to key picture: too many, and few enough again.
_KEY_FAR_S, _KEY_NEAR_S = 10.0, 8.0
#: Share of packets lost in ten minutes that spoils pictures, and the share from which on it no longer matters.
_LOST_MUCH, _LOST_LITTLE = 0.01, 0.002
#: What one packet carries: few cameras fill 1,500 bytes.
_PACKET_BYTES = 1200

_HINTS = ("camera_clock", "key_pictures_far", "packets_lost", "same_address", "same_mac")


@dataclass(slots=True)
class Lasting:
    """What is told: changed only when the contrary was so for `LASTING_S` without a break."""

    told: bool = False
    _since: float | None = None

    def judge(self, verdict: bool | None, now: float) -> bool:
        """`verdict` is None where neither is so, or nobody knows. Returns what is to be told."""
        if verdict is None or verdict is self.told:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= LASTING_S:
            self.told, self._since = verdict, None
        return self.told


@dataclass(slots=True)
class LostShare:
    """The share of packets that were lost, of ten minutes of observed time after the other."""

    told: bool = False
    share: float = 0.0
    _lost: int = 0
    _packets: float = 0.0
    _observed_s: float = 0.0

    def add(self, lost: int, kbps: float, seconds: float) -> bool:
        """So many packets were lost in so many seconds. Returns what is to be told."""
        self._lost += lost
        self._packets += kbps * 125 * seconds / _PACKET_BYTES
        self._observed_s += seconds
        if self._observed_s >= LASTING_S:
            self.share = self._lost / max(self._packets + self._lost, 1.0)
            self.told = self.share > (_LOST_LITTLE if self.told else _LOST_MUCH)
            self._lost, self._packets, self._observed_s = 0, 0.0, 0.0
        return self.told


@dataclass(slots=True)
class _Seen:
    """What was seen of one camera up to the monotonic time `at`."""

    clock: Lasting = field(default_factory=Lasting)
    key_pictures: Lasting = field(default_factory=Lasting)
    packets: LostShare = field(default_factory=LostShare)
    at: float = float("-inf")
    lost: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a camera is, as it was configured; `mac` is empty where it is not known."""

    camera_id: str
    title: str
    facility: str
    address: str
    host: str
    mac: str
    #: It leaves its address to another.
    retired: bool

    @classmethod
    def of(cls, entry: ConfigEntry, camera: ConfigSubentry) -> Self:
        url = camera.data[CONF_URL]
        mac = CameraDevice.of(camera.data).mac.casefold()
        host = (URL(url).host or "").casefold()
        return cls(
            camera.subentry_id,
            camera.title,
            entry.title,
            address_key(url),
            host,
            mac,
            camera.data.get(CONF_RETIRED, False),
        )


class CameraHints:
    """The hints about the cameras of one facility."""

    def __init__(self, hass: HomeAssistant, coordinator: FacilityCoordinator) -> None:
        """Nothing is seen yet."""
        self._hass = hass
        self._coordinator = coordinator
        self._seen: dict[str, _Seen] = {}
        #: The cameras of every facility, as they were compared last.
        self._compared: tuple[Mapping[str, ConfigSubentry], ...] = ()

    @callback
    def update(self) -> None:
        """Tell what is so now, and no longer what is not."""
        cameras = self._coordinator.cameras()
        self._seen = {camera_id: self._seen.get(camera_id) or _Seen() for camera_id in cameras}
        for camera_id in cameras:
            self._measure(camera_id)
        self._compare()

    def _measure(self, camera_id: str) -> None:
        """What the camera's state tells."""
        seen, now, state = self._seen[camera_id], self._coordinator.hub.clock(), self._coordinator.camera(camera_id)
        if state is None or self._coordinator.status(camera_id) not in CONNECTED:
            seen.at = float("-inf")
            return
        elapsed = now - seen.at
        if elapsed > _BREAK_S:
            seen.clock.judge(None, now)
            seen.key_pictures.judge(None, now)
        else:
            # An engine that was started again counts from nothing.
            lost = state["lost_packets"] - seen.lost if state["lost_packets"] >= seen.lost else state["lost_packets"]
            seen.packets.add(lost, state["bitrate_kbps"], elapsed)
        seen.at, seen.lost = now, state["lost_packets"]
        offset, key_s = state["clock_offset_s"], state["keyframe_s"]
        wrong = _verdict(None if offset is None else abs(offset), _CLOCK_WRONG_S, _CLOCK_RIGHT_S)
        if self._tell("camera_clock", camera_id, seen.clock.judge(wrong, now)) and offset is not None:
            key = "camera_clock_zone" if _is_zone(offset) else "camera_clock"
            self._create("camera_clock", camera_id, key, **_clock_words(offset))
        far = _verdict(key_s, _KEY_FAR_S, _KEY_NEAR_S)
        if self._tell("key_pictures_far", camera_id, seen.key_pictures.judge(far, now)):
            self._create("key_pictures_far", camera_id, seconds=f"{key_s or 0.0:.0f}")
        if self._tell("packets_lost", camera_id, seen.packets.told):
            self._create("packets_lost", camera_id, percent=f"{seen.packets.share * 100:.1f}")

    def _compare(self) -> None:
        """What the configurations of this Home Assistant's cameras tell: of two, the later one is told of."""
        entries = self._hass.config_entries.async_entries(DOMAIN, include_disabled=False)
        subentries = tuple(entry.subentries for entry in entries)
        if subentries == self._compared:
            return  # configurations seldom change, states all the time
        self._compared = subentries
        by_address: defaultdict[str, list[_Place]] = defaultdict(list)
        by_mac: defaultdict[str, list[_Place]] = defaultdict(list)
        for entry in entries:
            for camera in cameras_of(entry).values():
                place = _Place.of(entry, camera)
                by_address[place.address].append(place)
                by_mac[place.mac].append(place)
        own = self._coordinator.cameras()
        for same in by_address.values():
            self._tell_same("same_address", [place for place in same if place.camera_id in own], same)
        for mac, same in by_mac.items():
            # Lenses and channels of one device have one host. A whole model with one MAC (CAMERAS.md O14) has many.
            pair = mac != "" and len({place.host for place in same if not place.retired}) == 2
            self._tell_same("same_mac", [place for place in same if place.camera_id in own], same if pair else [])

    def _tell_same(self, hint: str, places: list[_Place], same: list[_Place]) -> None:
        """Of each of `places`, tell the first of `same` that was there before it and is another device or address."""
        for place in places:
            before = [
                other
                for other in same
                if not (place.retired or other.retired)
                and other.camera_id < place.camera_id
                and (hint == "same_address" or other.host != place.host)
            ]
            if self._tell(hint, place.camera_id, bool(before)):
                other = min(before, key=lambda place: place.camera_id)
                self._create(
                    hint,
                    place.camera_id,
                    other=other.title,
                    other_facility=other.facility,
                    other_host=other.host,
                    host=place.host,
                    mac=place.mac,
                )

    def _tell(self, hint: str, camera_id: str, is_so: bool) -> bool:
        """Take a hint back that no longer is so. Returns whether it is so and not told yet."""
        issue = ir.async_get(self._hass).async_get_issue(DOMAIN, f"{hint}_{camera_id}")
        told = issue is not None and issue.active
        if told and not is_so:
            ir.async_delete_issue(self._hass, DOMAIN, f"{hint}_{camera_id}")
        return is_so and not told

    def _create(self, hint: str, camera_id: str, key: str = "", **words: str) -> None:
        entry = self._coordinator.entry
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            f"{hint}_{camera_id}",
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=key or hint,
            translation_placeholders={
                "camera": entry.subentries[camera_id].title,
                "facility": entry.title,
                **words,
            },
        )


@callback
def async_clear_camera(hass: HomeAssistant, camera_id: str) -> None:
    """The camera is gone, and so is every hint about it."""
    for hint in _HINTS:
        if (DOMAIN, issue_id := f"{hint}_{camera_id}") in ir.async_get(hass).issues:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


def _verdict(value: float | None, bad: float, good: float) -> bool | None:
    """True above `bad`, False below `good`, None between them and where it is not known."""
    if value is None or good <= value <= bad:
        return None
    return value > bad


def _is_zone(offset_s: float) -> bool:
    """Off by whole half hours: it tells the time of a zone as if it were UTC, or is set to a wrong zone."""
    rest = abs(offset_s) % _ZONE_STEP_S
    near = min(rest, _ZONE_STEP_S - rest) < _CLOCK_WRONG_S
    return near and _ZONE_STEP_S - _CLOCK_WRONG_S < abs(offset_s) < _ZONE_MOST_S + _CLOCK_WRONG_S


def _clock_words(offset_s: float) -> dict[str, str]:
    """What its clock and ours said when it was told."""
    now = dt_util.now()
    return {"shown": _moment(now + timedelta(seconds=offset_s)), "now": _moment(now)}


def _moment(moment: datetime) -> str:
    return f"{moment:%H:%M:%S %d/%m/%Y}"
