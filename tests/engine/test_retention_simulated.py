"""Whatever is recorded, held, limited and removed over weeks: retention keeps its promises at every moment."""

from pathlib import Path
import tempfile

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from custom_components.facility_cameras.engine.archive import volume
from custom_components.facility_cameras.engine.archive.cleaner import DAYS_S
from custom_components.facility_cameras.engine.archive.retention import YOUNGEST_US, Reason, Rules
from tests.engine.archives import MINUTE_US
from tests.engine.cleaning import DAY_US, GB, Site

CAMERAS = [f"c{number}" for number in range(8)]
LONG_US = 50 * MINUTE_US
MOST_FILES = 50_000
type Piece = tuple[str, int, int, int]


class Retention(RuleBasedStateMachine):
    """Eight cameras of two facilities on one disk."""

    @initialize(
        rates=st.lists(st.integers(1, 20), min_size=8, max_size=8),
        room=st.integers(30, 400),
        days=st.lists(st.integers(1, 20), min_size=8, max_size=8),
    )
    def begin(self, rates: list[int], room: int, days: list[int]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.site = Site(Path(self.folder.name))
        self.site.disk.total = room * GB
        self.rates = dict(zip(CAMERAS, rates, strict=True))
        self.days = dict(zip(CAMERAS, days, strict=True))
        self.last_days = dict(self.days)
        self.facility = {camera: "f1" if number % 2 else "f2" for number, camera in enumerate(CAMERAS)}
        self.wanted = {"f1": Rules(30), "f2": Rules(30)}
        self.holds: dict[str, Piece] = {}
        #: Every segment that is there: camera, start, end and size by the name of its file and the camera.
        self.there: dict[tuple[str, str], Piece] = {}
        self.seen = 0
        self.wants()

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.site.index.close()
            self.folder.cleanup()

    def wants(self) -> None:
        self.site.wants(dict(self.days), **self.wanted)

    @rule(hours=st.integers(1, 60))
    def record(self, hours: int) -> None:
        for _ in range(hours):
            self.site.clock.now += 3600
            start_us = self.site.now_us - LONG_US
            for camera in self.days:
                size = self.rates[camera] * GB // 40
                if size > self.site.disk.free or (self.site.disk.most_files and not self.site.disk.free_files):
                    # Nothing is written to a disk that is full.
                    continue
                path = self.site.add(camera, LONG_US, size, long_us=LONG_US, facility=self.facility[camera])
                self.there[camera, path.name] = camera, start_us, start_us + LONG_US, size
            self.clean()

    @rule(camera=st.sampled_from(CAMERAS), ago=st.integers(0, 30 * 24), hours=st.integers(1, 50))
    def hold(self, camera: str, ago: int, hours: int) -> None:
        start_us = self.site.now_us - ago * 60 * MINUTE_US
        uid = f"h{len(self.holds)}-{self.site.clock.now}"
        if uid not in self.holds:
            self.holds[uid] = camera, start_us, start_us + hours * 60 * MINUTE_US, 0
            self.site.hold(*self.holds[uid][:3], uid)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.holds)))
        self.site.release(uid)
        del self.holds[uid]

    @rule(facility=st.sampled_from(["f1", "f2"]), quota=st.integers(0, 40), least=st.integers(0, 5))
    def limit(self, facility: str, quota: int, least: int) -> None:
        self.wanted = {**self.wanted, facility: Rules(30, quota * GB, max(least * DAY_US, YOUNGEST_US))}
        self.wants()

    @rule(camera=st.sampled_from(CAMERAS), days=st.integers(1, 20))
    def change_days(self, camera: str, days: int) -> None:
        if camera in self.days:
            self.days[camera] = self.last_days[camera] = days
            self.wants()
            self.clean()

    @precondition(lambda self: len(self.days) > 1)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        del self.days[data.draw(st.sampled_from(sorted(self.days)))]
        self.wants()

    @rule(share=st.integers(0, 40))
    def others_take(self, share: int) -> None:
        disk = self.site.disk
        disk.others = min(disk.total * share // 100, disk.others + disk.free)

    @rule(files=st.integers(-50, 300))
    def few_files(self, files: int) -> None:
        """The disk's table takes so many more than are kept free; many and none have it know no bound."""
        disk = self.site.disk
        disk.most_files = MOST_FILES if files < 250 else 0
        disk.other_files = 0
        disk.other_files = max(0, disk.free_files - volume.keep_files(MOST_FILES) - files)

    @precondition(lambda self: len(self.days) < len(CAMERAS))
    @rule(data=st.data(), facility=st.sampled_from(["f1", "f2"]))
    def add_again(self, data: st.DataObject, facility: str) -> None:
        """A camera that was removed comes back, in either facility."""
        camera = data.draw(st.sampled_from(sorted(set(CAMERAS) - set(self.days))))
        self.days[camera], self.facility[camera] = self.last_days[camera], facility
        self.site.index.camera_folder(camera, facility, f"{facility}/{camera}")
        self.wants()

    @rule(days=st.sampled_from([-365, -1, 1, 365]), minutes=st.integers(1, 9), takes=st.integers(0, 40))
    def wrong_clock(self, days: int, minutes: int, takes: int) -> None:
        """Our clock is wrong for some minutes, while others may take room, and is put right."""
        self.clean()
        self.others_take(takes)
        self.site.clock.offset += days * 86_400
        self.site.clean(minutes * 60)
        self.site.clock.offset -= days * 86_400
        gone = self.check()
        assert Reason.DAYS not in gone
        # It is seen that it is right again.
        self.site.clean(61)
        assert Reason.DAYS not in self.check()

    # Promises ---------------------------------------------------------------------------------------------------------

    def protected(self, piece: Piece) -> bool:
        camera, start_us, end_us, _ = piece
        return any(camera == held and start_us < b and end_us > a for held, a, b, _ in self.holds.values())

    def least_us(self, piece: Piece) -> int:
        return self.wanted[self.facility[piece[0]]].least_us

    def clean(self) -> None:
        """The cleaner comes to rest; everything that it deleted was to be deleted."""
        self.site.clean(max(DAYS_S, 60) + 1)
        self.check()

    def check(self) -> set[Reason]:
        """Everything that was deleted since was to be deleted; returns why it was."""
        now_us = self.site.now_us
        deletions = self.site.index.removed[self.seen :]
        self.seen += len(deletions)
        gone = [(self.there.pop((camera, name)), Reason(reason)) for camera, name, reason in deletions]
        left = [piece for piece in self.there.values() if not self.protected(piece)]
        for piece, reason in gone:
            assert not self.protected(piece)
            age_us = now_us - piece[2]
            assert age_us >= (self.last_days[piece[0]] * DAY_US if reason is Reason.DAYS else self.least_us(piece))
        for reason in (Reason.SPACE, Reason.QUOTA):
            for facility in ("f1", "f2"):
                newest = max(
                    (
                        one[1]
                        for one, why in gone
                        if why is reason and facility in (self.facility[one[0]], *self.all(reason))
                    ),
                    default=0,
                )
                older = [
                    one
                    for one in left
                    if one[1] < newest
                    and now_us - one[2] >= self.least_us(one)
                    and (reason is Reason.SPACE or self.facility[one[0]] == facility)
                ]
                assert not older, f"{reason}: younger footage went before {older[:3]}"
        return {reason for _, reason in gone}

    def lacks(self) -> bool:
        disk = self.site.disk
        return disk.free < volume.keep_free(disk.total) or (
            disk.most_files > 0 and disk.free_files < volume.keep_files(disk.most_files)
        )

    def all(self, reason: Reason) -> tuple[str, ...]:
        """Space is everybody's."""
        return ("f1", "f2") if reason is Reason.SPACE else ()

    @invariant()
    def promises(self) -> None:
        if not hasattr(self, "site"):
            return
        self.clean()
        site, now_us = self.site, self.site.now_us
        left = [piece for piece in self.there.values() if not self.protected(piece)]
        # Days are kept, and not for longer.
        assert not [one for one in left if now_us - one[2] > self.last_days[one[0]] * DAY_US + 60 * MINUTE_US]
        # Room is there, or nothing is left that may go for it, and it is said. What others took at the same time makes
        # it doubt for a while whether deleting helps.
        for _ in range(4):
            if self.lacks():
                self.clean()
        now_us = site.now_us
        left = [piece for piece in self.there.values() if not self.protected(piece)]
        may_go = [one for one in left if now_us - one[2] >= self.least_us(one)]
        lacks = self.lacks()
        assert not (lacks and may_go)
        assert not lacks or site.told().young_since_us is not None
        for facility, wanted in self.wanted.items():
            used = sum(one[3] for one in self.there.values() if self.facility[one[0]] == facility)
            if wanted.quota_bytes and used > wanted.quota_bytes:
                assert not [one for one in may_go if self.facility[one[0]] == facility]
                assert facility in site.told().over_quota
        # Files, rows and the journal tell the same.
        names = {(str(path.parent.parent.name), path.name) for path in site.root.rglob("*.mp4")}
        assert names == set(self.there)
        rows = site.index.query("SELECT camera.uid, path FROM segment JOIN camera ON camera.id = segment.camera")
        assert {(camera, Path(path).name) for camera, path in rows} == names
        assert sum(entry["files"] for entry in site.journal()) == self.seen


TestRetention = Retention.TestCase
TestRetention.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # A smaller example would take minutes to find.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
