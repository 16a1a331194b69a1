"""Many cameras that go at once are one event with one cause: a recorder, a switch, a site, or the hub itself.

Promise I5 (truth): what the hub itself did is told as the hub's, from when to when, so that this time is unknown.
Nothing here reads a clock of its own or sends anything: it is told what happened, and asked once a second.

A silent end is noticed by each camera up to 15 s after the first: what goes within `WINDOW_S` goes together. An event is
made once nothing more has gone for `QUIET_S`, so that it is made once; who comes late joins it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from .api import Reach
from .api_health import CommonCause, CommonKind, HubEvent, HubFault, LikelyCause
from .clock import Clock, microseconds
from .common_event import HUB, Event, Fault, Group, Place, network_of

#: Seconds: who goes within this time goes together; so long nobody else has gone, before it is called an event.
WINDOW_S, QUIET_S = 20.0, 5.0
#: Of a host, of a network or facility: so many at least, and such a share of those that could go.
LEAST_OF_HOST, LEAST, SHARE = 2, 3, 0.6
#: An event is over when most have been back for so long; the hub's own at the latest so long after its fault.
CALM_S, BACK_S = 20.0, 30.0
#: A fault of the hub may be noticed so long after the first camera that it cost.
SLACK_S = {HubFault.NETWORK_DOWN: 10.0, HubFault.STALL: 1.0, HubFault.SUSPENDED: 2.0, HubFault.CLOCK_STEP: 2.0}
#: No more faults of the hub are kept than this.
MOST_FAULTS = 16
_BY_FAULT = {
    HubFault.STALL: LikelyCause.HUB_STALL,
    HubFault.SUSPENDED: LikelyCause.SUSPENDED,
    HubFault.CLOCK_STEP: LikelyCause.CLOCK_STEP,
    HubFault.NETWORK_DOWN: LikelyCause.HUB_NETWORK,
}
_BY_KIND = {
    CommonKind.HOST: LikelyCause.RECORDER,
    CommonKind.NETWORK: LikelyCause.SWITCH,
    CommonKind.FACILITY: LikelyCause.SITE_LINK,
}
#: What those who looked for the cameras found says more.
_BY_REACH = {
    (CommonKind.HOST, Reach.GATEWAY): LikelyCause.SITE_LINK,
    (CommonKind.NETWORK, Reach.GATEWAY): LikelyCause.SITE_LINK,
    (CommonKind.NETWORK, Reach.BEYOND): LikelyCause.SITE_LINK,
    (CommonKind.FACILITY, Reach.DEVICE_GONE): LikelyCause.POWER,
}
#: From narrow to wide.
_WIDTH = (CommonKind.HOST, CommonKind.NETWORK, CommonKind.FACILITY, CommonKind.HUB)


class CommonCauses:
    """All cameras of the hub. `changed` is called with every event that begins, changes or ends."""

    def __init__(self, clock: Clock, changed: Callable[[CommonCause], None]) -> None:
        """Nothing is known yet."""
        self._clock = clock
        self._changed = changed
        self._places: dict[str, Place] = {}
        #: Cameras that went, and are in no event.
        self._gone: dict[str, None] = {}
        self._events: list[Event] = []
        self._event_of: dict[str, Event] = {}
        self._faults: list[Fault] = []

    # What happens -------------------------------------------------------------------------------------------------

    def place(self, camera: str, facility: str, host: str) -> None:
        """A camera is there, or is now somewhere else: then nothing is known of it there yet."""
        host = host.rstrip(".").lower()
        known = self._places.get(camera)
        if known is None or (known.facility, known.host) != (facility, host):
            self.remove(camera)
            self._places[camera] = Place(facility, host, network_of(host))

    def remove(self, camera: str) -> None:
        """A camera is there no more."""
        self._places.pop(camera, None)
        self._gone.pop(camera, None)
        if (event := self._event_of.pop(camera, None)) is not None:
            del event.cameras[camera]

    def told(self, camera: str, connected: bool) -> None:
        """Whether a camera is connected now. Raises KeyError for one that was not placed."""
        place = self._places[camera]
        was, place.connected = place.connected, connected
        if connected:
            place.reach = Reach.UNCLEAR
        elif was:
            self._went(camera, place)

    def looked(self, camera: str, reach: Reach) -> None:
        """What was found of a camera that does not answer. Raises KeyError for one that was not placed."""
        self._places[camera].reach = reach

    def hub(self, event: HubEvent) -> None:
        """Something happened to the hub itself."""
        now, fault = self._clock.monotonic(), HubFault(event["fault"])
        if fault is HubFault.NETWORK_UP:
            for each in self._faults:
                each.until = now if each.until is None else each.until
            return
        since = now - SLACK_S[fault]
        if fault is HubFault.STALL:
            since -= (event["ended"] - event["began"]) / 1e6
        # What a clock that was set shows now is what later times are told in.
        began_us = event["ended"] if fault is HubFault.CLOCK_STEP else event["began"]
        until = None if fault is HubFault.NETWORK_DOWN else now
        self._faults = [*self._faults[1 - MOST_FAULTS :], Fault(_BY_FAULT[fault], since, until, began_us)]

    def event_of(self, camera: str) -> CommonCause | None:
        """The event that a camera is in now, as it was told last."""
        event = self._event_of.get(camera)
        return None if event is None else event.told

    # Once a second ------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Look at what happened: begin, change and end events."""
        now = self._clock.monotonic()
        self._look_at_hub(now)
        self._join()
        for facility in {self._places[camera].facility for camera in self._gone}:
            self._look_at_facility(facility, now)
        for camera in tuple(self._gone):
            if now - self._places[camera].went >= WINDOW_S:
                del self._gone[camera]
        for event in self._events:
            self._guess(event)
            if (told := event.tell(self._total(event))) != event.told:
                event.told = told
                self._changed(told)
        for event in tuple(self._events):
            self._see_whether_over(event, now)

    def _went(self, camera: str, place: Place) -> None:
        place.went, place.went_us = self._clock.monotonic(), microseconds(self._clock.utc())
        if camera not in self._event_of:
            self._gone[camera] = None

    def _look_at_hub(self, now: float) -> None:
        """What the hub itself did comes first."""
        self._faults = [each for each in self._faults if each.until is None or now - each.until <= BACK_S]
        for fault in self._faults:
            took = [camera for camera in self._gone if self._took(fault, self._places[camera].went)]
            events = [each for each in self._events if each.group != HUB and self._took(fault, each.began)]
            cameras = [*took, *(camera for event in events for camera in event.cameras)]
            # The clock breaks no connection by itself: only where most went as it was set, it was that.
            if fault.likely is not LikelyCause.CLOCK_STEP or _enough(cameras, self._places, LEAST):
                self._blame_hub(fault.likely, took, events, fault.began_us)
        own = [camera for camera in self._gone if self._places[camera].reach is Reach.OWN_NETWORK]
        events = [each for each in self._events if each.group != HUB and self._without_way(each)]
        began_us = min((each.began_us for each in events), default=None)
        self._blame_hub(LikelyCause.HUB_NETWORK, own, events, began_us)
        for event in self._events:
            if event.group == HUB:
                lasts = any(each.until is None for each in self._faults) or any(
                    self._places[camera].reach is Reach.OWN_NETWORK for camera in event.cameras
                )
                ended = [each.until for each in self._faults if each.until is not None]
                event.over = None if lasts else max(ended, default=event.over or now)

    @staticmethod
    def _took(fault: Fault, went: float) -> bool:
        return fault.since <= went and (fault.until is None or went <= fault.until + WINDOW_S)

    def _without_way(self, event: Event) -> bool:
        """Whether most of an event's cameras cannot be reached because of this machine's own network."""
        own = sum(self._places[camera].reach is Reach.OWN_NETWORK for camera in event.cameras)
        return 0 < len(event.cameras) * SHARE <= own

    def _blame_hub(self, likely: LikelyCause, took: list[str], events: list[Event], began_us: int | None) -> None:
        if not took and not events:
            return
        hub = next((each for each in self._events if each.group == HUB), None)
        if hub is None:
            hub = self._begin(HUB, likely, took or list(events[0].cameras), began_us)
        for event in events:
            self._absorb(event, hub)
        self._take(hub, took)

    def _join(self) -> None:
        """Who comes late joins."""
        for camera in tuple(self._gone):
            place = self._places[camera]
            for event in self._events:
                if event.group != HUB and event.group.holds(place) and place.went - event.joined <= WINDOW_S:
                    self._take(event, [camera])
                    break

    def _look_at_facility(self, facility: str, now: float) -> None:
        """Once it is quiet: what those that went have in common."""
        places = {camera: place for camera, place in self._places.items() if place.facility == facility}
        new = [places[camera].went for camera in self._gone if camera in places]
        if now - max(new) < QUIET_S and now - min(new) < WINDOW_S:
            return
        # Those of a narrower event count again for a wider one, if they went with these.
        lately = [camera for camera in places if camera in self._gone or self._went_lately(camera, now)]
        for group, cameras in in_common(places, lately):
            touched = sorted(
                {each.id: each for camera in cameras if (each := self._event_of.get(camera))}.values(),
                key=lambda each: (-_WIDTH.index(each.group.kind), each.began),
            )
            event = touched[0] if touched else self._begin(group, _BY_KIND[group.kind], cameras)
            if _WIDTH.index(group.kind) > _WIDTH.index(event.group.kind):
                event.group, event.likely = group, _BY_KIND[group.kind]
            for other in touched[1:]:
                self._absorb(other, event)
            self._take(event, cameras)

    def _went_lately(self, camera: str, now: float) -> bool:
        event = self._event_of.get(camera)
        if event is None or event.group == HUB or now - event.began > 2 * WINDOW_S:
            return False
        return now - self._places[camera].went <= WINDOW_S

    def _begin(self, group: Group, likely: LikelyCause, cameras: Collection[str], began_us: int | None = None) -> Event:
        first = min((self._places[camera] for camera in cameras), key=lambda place: place.went)
        began_us = first.went_us if began_us is None else began_us
        event = Event(group, likely, first.went, began_us, first.went)
        self._events.append(event)
        return event

    def _take(self, event: Event, cameras: Iterable[str]) -> None:
        """Let cameras join an event."""
        for camera in sorted(cameras, key=lambda each: self._places[each].went):
            place = self._places[camera]
            if self._event_of.get(camera) is not event:
                self._gone.pop(camera, None)
                event.cameras[camera] = None
                event.joined = max(event.joined, place.went)
                if event.group != HUB:  # that began with the hub's fault
                    event.began, event.began_us = min(event.began, place.went), min(event.began_us, place.went_us)
                self._event_of[camera] = event

    def _absorb(self, event: Event, wider: Event) -> None:
        """An event turned out to be a part of a wider one."""
        for camera in event.cameras:
            self._event_of[camera] = wider
            wider.cameras[camera] = None
        wider.began_us = min(wider.began_us, event.began_us)
        self._events.remove(event)
        if event.told is not None:
            self._changed(event.tell(self._total(event), microseconds(self._clock.utc()), wider.id))

    def _guess(self, event: Event) -> None:
        """What most of those who looked found says why."""
        if event.group == HUB:
            return
        kind = event.group.kind
        found = Counter(reach for camera in event.cameras if (reach := self._places[camera].reach) is not Reach.UNCLEAR)
        if found:
            event.likely = _BY_REACH.get((kind, found.most_common(1)[0][0]), _BY_KIND[kind])

    def _see_whether_over(self, event: Event, now: float) -> None:
        now_us = microseconds(self._clock.utc())
        back = sum(self._places[camera].connected is True for camera in event.cameras)
        if back < SHARE * len(event.cameras):
            event.calm = None
        elif event.calm is None:
            event.calm, event.calm_us = now, now_us
        calm = event.calm is not None and now - event.calm >= CALM_S
        if not event.cameras or (calm and (event.group != HUB or event.over is not None)):
            self._end(event, event.calm_us)
        elif event.over is not None and now - event.over >= BACK_S:
            # Who is not back by now is away by its own.
            self._end(event, now_us)

    def _end(self, event: Event, ended_us: int) -> None:
        self._events.remove(event)
        for camera in event.cameras:
            del self._event_of[camera]
            place = self._places[camera]
            if event.group == HUB and not place.connected:
                self._went(camera, place)
            elif event.calm is not None and place.went > event.calm:
                self._gone[camera] = None  # gone again, with others perhaps
        self._changed(event.tell(self._total(event), ended_us))

    def _total(self, event: Event) -> int:
        return sum(event.group.holds(place) for place in self._places.values())


def in_common(places: Mapping[str, Place], gone: Collection[str]) -> list[tuple[Group, list[str]]]:
    """What cameras that are `gone` have in common, of all cameras of one facility: the narrowest that holds them all."""
    if not gone:
        return []
    facility = places[next(iter(gone))].facility
    if _enough(gone, places, LEAST):
        return [(_narrowest(Group(CommonKind.FACILITY, facility), places, gone), list(gone))]
    found = []
    for network in dict.fromkeys(places[camera].network for camera in gone):
        theirs = {camera: place for camera, place in places.items() if place.network == network}
        went = [camera for camera in gone if camera in theirs]
        if network and _enough(went, theirs, LEAST):
            found.append((_narrowest(Group(CommonKind.NETWORK, facility, network), theirs, went), went))
            continue
        for host in dict.fromkeys(places[camera].host for camera in went):
            channels = {camera: place for camera, place in theirs.items() if place.host == host}
            lost = [camera for camera in went if camera in channels]
            if _enough(lost, channels, LEAST_OF_HOST):
                found.append((Group(CommonKind.HOST, facility, network, host), lost))
    return found


def _enough(gone: Collection[str], places: Mapping[str, Place], least: int) -> bool:
    """Whether these are most of those that could go: that were connected."""
    could = sum(place.connected is True or camera in gone for camera, place in places.items())
    return len(gone) >= least and len(gone) >= SHARE * could


def _narrowest(wide: Group, places: Mapping[str, Place], gone: Collection[str]) -> Group:
    """The host, else the network, that all who are gone have to themselves; else the wide group."""
    first = places[next(iter(gone))]
    if len({places[camera].host for camera in gone}) == 1:
        return Group(CommonKind.HOST, wide.facility, first.network, first.host)
    networks = {places[camera].network for camera in gone}
    others = {place.network for place in places.values()} - networks
    if len(networks) == 1 and first.network and others:
        return Group(CommonKind.NETWORK, wide.facility, first.network)
    return wide
