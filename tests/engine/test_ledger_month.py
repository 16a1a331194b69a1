"""A month of randomly scripted faults, against a plain model: an array with a place for every second (promise I5)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
import itertools
from pathlib import Path
import tempfile
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings, strategies as st
import numpy as np
import pytest

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.ledger import watch_time
from custom_components.facility_cameras.engine.ledger.intervals import intervals
from custom_components.facility_cameras.engine.ledger.ledger import Ledger
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.outages import outages
from custom_components.facility_cameras.engine.ledger.rates import Figures, Tally, figures, rates
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from custom_components.facility_cameras.engine.ledger.shown import final, verify
from tests.engine.archives import NOW_US
from tests.engine.ledgers import HOUR, SECOND_US, Machine

CAMERAS = ("c1", "c2")
DAY = 86_400
#: Seconds before and after NOW_US for which the model has places.
BEFORE, AFTER = 10 * DAY, 45 * DAY
STATUSES, STANDINGS = list(Status), list(Standing)
UNKNOWN = STATUSES.index(Status.UNKNOWN)
CONNECTED = [STATUSES.index(one) for one in Status if one in "online frozen black covered moved"]
UNSTABLE, REQUIRED = STATUSES.index(Status.UNSTABLE), STANDINGS.index(Standing.REQUIRED)
#: In the place of a standing: nothing is asked; of a status: that second never was.
NOTHING = NEVER_WAS = -1


class Model:
    """What should be known: a status and a standing for every second of every camera."""

    def __init__(self) -> None:
        shape = len(CAMERAS), BEFORE + AFTER
        self.status = np.full(shape, UNKNOWN, np.int8)
        self.standing = np.full(shape, NOTHING, np.int8)
        self.now = BEFORE
        self.told = [UNKNOWN] * len(CAMERAS)
        self.asked = [NOTHING] * len(CAMERAS)
        self.leaps: list[tuple[int, int]] = []

    def pass_time(self, seconds: int, *, watched: bool) -> None:
        for camera in range(len(CAMERAS)):
            span = slice(self.now, self.now + seconds)
            self.status[camera, span] = self.told[camera] if watched else UNKNOWN
            self.standing[camera, span] = self.asked[camera]
        self.now += seconds

    def set_clock(self, by: int) -> None:
        if by > 0:
            self.leaps.append((self.now, self.now + by))
            self.pass_time(by, watched=False)
            self.status[:, self.now - by : self.now] = NEVER_WAS
            return
        self.cut(self.now + by)

    def cut(self, now: int) -> None:
        for start, end in self.leaps:
            if start < now < end:
                # It was, after all.
                self.status[:, start:now] = UNKNOWN
        self.leaps = [one for one in self.leaps if one[1] <= now]
        self.status[:, now:] = UNKNOWN
        self.standing[:, now:] = NOTHING
        self.now = now

    def away(self, start: int, end: int) -> None:
        span = self.status[:, start:end]
        span[span != NEVER_WAS] = UNKNOWN

    def asked_in(self, camera: int, start: int, end: int) -> bool:
        """Whether the camera has figures: something was asked of it, and it was not retired all the time."""
        real = self.status[camera, start:end] != NEVER_WAS
        standing = self.standing[camera, start:end][real]
        return bool(np.isin(standing, [NOTHING, STANDINGS.index(Standing.RETIRED)], invert=True).any())

    def check(self, tally: Tally, camera: int, start: int, end: int) -> None:
        """The figures of [start, end) are those that are counted here."""
        real = self.status[camera, start:end] != NEVER_WAS
        status, standing = self.status[camera, start:end][real], self.standing[camera, start:end][real]
        required = status[standing == REQUIRED]
        for number, name in enumerate(STATUSES):
            assert tally.statuses.get(name, 0) == int((required == number).sum()) * SECOND_US, name
        for number, asked in enumerate(STANDINGS):
            assert tally.standings.get(asked, 0) == int((standing == number).sum()) * SECOND_US, asked
        online = int(np.isin(required, CONNECTED).sum()) + 0.5 * int((required == UNSTABLE).sum())
        assert tally.online_us == pytest.approx(online * SECOND_US, abs=100)
        if not len(status):
            return
        count, longest = 0, 0.0
        current = None
        changes = np.flatnonzero((np.diff(status) != 0) | (np.diff(standing) != 0)) + 1
        starts = [0, *changes.tolist(), len(status)]
        for first, after in itertools.pairwise(starts):
            one, asked = status[first], standing[first]
            if one in CONNECTED and asked != NOTHING:
                current = None
            elif asked == REQUIRED and one != UNKNOWN:
                if current is None:
                    count, current = count + 1, 0.0
                current += (after - first) * (0.5 if one == UNSTABLE else 1.0)
                longest = max(longest, current)
        assert tally.outages == count
        assert tally.longest_us == pytest.approx(longest * SECOND_US, abs=100)
        assert tally.outage_us == pytest.approx(tally.observed_us - tally.online_us, abs=2)


@dataclass
class Life:
    """The ledger and the model live through the same."""

    folder: Path
    clock: Machine = field(default_factory=Machine)
    model: Model = field(default_factory=Model)
    since: list[float] = field(default_factory=lambda: [0.0] * len(CAMERAS))

    def __post_init__(self) -> None:
        self.ledger = self.engine()
        for camera in range(len(CAMERAS)):
            self.stand(camera, Standing.REQUIRED)

    def engine(self) -> Ledger:
        ledger = Ledger(self.folder, self.clock, asleep=self.clock.asleep, boot=self.clock.boot)
        for camera, asked in zip(CAMERAS, self.model.asked, strict=True):
            ledger.describe(camera, camera.upper(), "f1", "gate")
            if asked != NOTHING:
                ledger.stand(camera, STANDINGS[asked])
        return ledger

    def settle(self) -> None:
        for camera, told in enumerate(self.model.told):
            if told == UNSTABLE:
                connected_us = round((self.clock.now - self.since[camera]) * 500_000)
                self.ledger.tell(CAMERAS[camera], Status.UNSTABLE, "some", connected_us=connected_us)
        self.ledger.beat()
        self.ledger.write_once()

    def live(self, seconds: int) -> None:
        self.clock.now += seconds
        self.model.pass_time(seconds, watched=True)
        self.settle()

    def tell(self, camera: int, status: Status) -> None:
        if self.model.asked[camera] == NOTHING:
            return
        self.settle()
        if self.model.told[camera] == STATUSES.index(status):
            return
        self.since[camera] = self.clock.now
        self.model.told[camera] = STATUSES.index(status)
        self.ledger.tell(CAMERAS[camera], status, "some")

    def stand(self, camera: int, standing: Standing) -> None:
        self.ledger.describe(CAMERAS[camera], CAMERAS[camera].upper(), "f1", "gate")
        self.ledger.stand(CAMERAS[camera], standing)
        self.model.asked[camera] = STANDINGS.index(standing)

    def gone(self, camera: int) -> None:
        self.settle()
        self.ledger.gone(CAMERAS[camera])
        self.model.asked[camera], self.model.told[camera] = NOTHING, UNKNOWN

    def step(self, by: int) -> None:
        self.clock.offset += by
        self.settle()
        self.model.set_clock(by)

    def sleep(self, seconds: int) -> None:
        self.clock.sleep(seconds)
        self.model.pass_time(seconds, watched=False)
        self.settle()

    def kill(self, unwritten: int, down: int, step: int) -> None:
        self.settle()
        self.ledger._writer.close()
        self.clock.now += unwritten + down
        self.clock.offset += step
        self.model.pass_time(unwritten + down, watched=False)
        if step > 0:
            # Nobody saw it: so much later it is, for all that is known.
            self.model.pass_time(step, watched=False)
        else:
            # It begins earlier than it ended: that is seen.
            ended = self.model.now - unwritten - down
            now = self.model.now + step
            if now < ended:
                self.model.cut(now)
            else:
                self.model.now = now
                self.model.standing[:, now:] = NOTHING
        self.model.told = [UNKNOWN] * len(CAMERAS)
        self.ledger = self.engine()
        self.settle()

    def wrong_clock(self, down: int, wrong: int, statuses: list[Status], each: int) -> None:
        """The machine boots, and its clock is wrong for some time."""
        self.kill(0, down, 0)
        self.ledger._writer.close()
        self.clock.boot += "+"
        self.clock.offset += wrong
        self.ledger = self.engine()
        self.ledger.trust(trusted=False)
        for status in statuses:
            self.tell(0, status)
            self.live(each)
        self.clock.offset -= wrong
        self.settle()
        self.ledger.trust(trusted=True)

    def hub_away(self, back: int, seconds: int) -> None:
        start = max(self.model.now - back, BEFORE)
        end = min(start + seconds, self.model.now)
        from_us, to_us = (NOW_US + (at - BEFORE) * SECOND_US for at in (start, end))
        self.ledger.hub_away(from_us, to_us, "own_network")
        self.model.away(start, end)

    def show(self, per: str, by: str) -> None:
        """Figures are given out; whatever comes after it, they can be computed again."""
        self.settle()
        with Reading(self.folder / FILE) as reading:
            self.ledger.show(final(reading, rates(reading, 0, NEVER, per=per, by=by)))
        self.settle()


LENGTH = st.one_of(st.integers(1, 600), st.integers(1, DAY))
CAMERA = st.integers(0, len(CAMERAS) - 1)
STEP = st.one_of(st.integers(2, HOUR), st.integers(2, 2 * DAY)).flatmap(lambda by: st.sampled_from([by, -by]))
EVENT = st.one_of(
    st.tuples(st.just("live"), LENGTH),
    st.tuples(st.just("tell"), CAMERA, st.sampled_from(Status)),
    st.tuples(st.just("tell"), CAMERA, st.sampled_from(Status)),
    st.tuples(st.just("tell"), CAMERA, st.sampled_from([Status.ONLINE, Status.UNREACHABLE])),
    st.tuples(st.just("stand"), CAMERA, st.sampled_from(Standing)),
    st.tuples(st.just("gone"), CAMERA),
    st.tuples(st.just("step"), STEP),
    st.tuples(st.just("sleep"), st.sampled_from([5, 600, 3 * HOUR])),
    st.tuples(st.just("kill"), st.integers(0, 10), LENGTH, st.one_of(st.just(0), STEP)),
    st.tuples(
        st.just("wrong_clock"), LENGTH, STEP, st.lists(st.sampled_from(Status), max_size=3), st.integers(1, HOUR)
    ),
    st.tuples(st.just("hub_away"), LENGTH, LENGTH),
    st.tuples(st.just("show"), st.sampled_from(["hour", "day"]), st.sampled_from(["camera", "hub"])),
)
SCRIPT = st.lists(st.tuples(EVENT, LENGTH), min_size=5, max_size=60)


def lived(folder: Path, script: list[tuple[tuple[object, ...], int]]) -> Life:
    life = Life(folder)
    for (name, *arguments), then in script:
        if life.model.now > BEFORE + 31 * DAY or life.model.now < 3 * DAY:
            break
        getattr(life, str(name))(*arguments)
        life.live(then)
    return life


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=SCRIPT, data=st.data())
def test_month_is_as_a_plain_model_says(script: list[tuple[tuple[object, ...], int]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        # Between two events nobody looks at the clocks here.
        patch.setattr(watch_time, "STALLED_S", float("inf"))
        folder = Path(name)
        life = lived(folder, script)
        model = life.model
        with Reading(folder / FILE) as reading:
            assert not list(verify(reading))
            assert reading.until_us == NOW_US + (model.now - BEFORE) * SECOND_US
            spans = [(0, model.now)]
            for _ in range(4):
                start = data.draw(st.integers(0, model.now - 1))
                spans.append((start, min(start + data.draw(LENGTH), model.now)))
            for camera, uid in enumerate(CAMERAS):
                for start, end in spans:
                    cut = tuple(NOW_US + (at - BEFORE) * SECOND_US for at in (start, end))
                    found = {one.subject.camera: one.tally for one in figures(reading, [(cut[0], cut[1])])}
                    if not model.asked_in(camera, start, end):
                        assert uid not in found
                    else:
                        model.check(found[uid], camera, start, end)
                _check_intervals(reading, uid)
                _check_outages(reading, uid)
            zone = ZoneInfo(data.draw(st.sampled_from(["Asia/Ho_Chi_Minh", "Europe/Berlin", "Australia/Lord_Howe"])))
            _check_sums(reading, zone)


def _check_intervals(reading: Reading, uid: str) -> None:
    found = list(intervals(reading, uid, 0, NEVER))
    assert all(one["start"] < one["end"] for one in found)
    assert all(one["end"] <= other["start"] for one, other in itertools.pairwise(found))


def _check_outages(reading: Reading, uid: str) -> None:
    """However one looks at them, they are the same, and all together are what the rates count."""
    whole = outages(reading, uid, 0, NEVER)
    for one in whole[:3] + whole[-3:]:
        assert outages(reading, uid, one["end"] - 1, one["end"]) == [one]
        assert outages(reading, uid, one["start"], one["start"] + 1) == [one]
    tally = sum_of(rates(reading, 0, NEVER, by="camera"), uid)
    assert sum(one["away_s"] for one in whole) == pytest.approx(tally.outage_us / 1e6)
    assert len(whole) == tally.outages
    assert max((one["away_s"] for one in whole), default=0) == pytest.approx(tally.longest_us / 1e6)


def sum_of(found: Iterable[Figures], uid: str) -> Tally:
    total = Tally()
    for one in found:
        if one.subject.camera == uid:
            total.add(one.tally)
    return total


def _check_sums(reading: Reading, zone: ZoneInfo) -> None:
    """Days, hours and weeks are all of the whole."""
    start_us = NOW_US - BEFORE * SECOND_US
    whole = sum_of(rates(reading, start_us, NEVER), "c1")
    for per in ("hour", "day", "week", "month"):
        parts = sum_of(rates(reading, start_us, NEVER, per=per, zone=zone), "c1")
        assert parts.statuses == whole.statuses
        assert {**parts.standings, Standing.RETIRED: 0} == {**whole.standings, Standing.RETIRED: 0}
