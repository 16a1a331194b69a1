"""What tests of retention share: an archive with a simulated clock and disk, whose cleaner takes turns when told to."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from custom_components.facility_cameras.engine.archive import journal
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.cleaner import Cleaner, Report
from custom_components.facility_cameras.engine.archive.index import Closing, Index, Row
from custom_components.facility_cameras.engine.archive.retention import HOUR_US, YOUNGEST_US, Rules
from custom_components.facility_cameras.engine.clock import microseconds
from tests.engine.archives import MINUTE_US, HandClock
from tests.engine.living import wait_for

GB = 1 << 30


@dataclass
class Disk:
    """How much room there is, as somebody may look at it. What is deleted becomes free unless it is kept back.

    It takes so many files, `most_files` 0 is any number; `other_files` are others'.
    """

    total: int = 1000 * GB
    others: int = 0
    most_files: int = 0
    other_files: int = 0
    files: dict[Path, int] = field(default_factory=dict)
    keeps_back: bool = False
    kept_back: int = 0
    kept_back_files: int = 0

    def _settle(self) -> None:
        for path in [path for path in self.files if not path.exists()]:
            size = self.files.pop(path)
            if self.keeps_back:
                self.kept_back += size
                self.kept_back_files += 1

    @property
    def free(self) -> int:
        self._settle()
        return max(0, self.total - self.others - self.kept_back - sum(self.files.values()))

    @property
    def free_files(self) -> int:
        self._settle()
        return max(0, self.most_files - self.other_files - self.kept_back_files - len(self.files))


class WatchedIndex(Index):
    """Tells which files became deletions, in their order: camera, name of the file, reason."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.removed: list[tuple[str, str, str]] = []

    def remove(self, rows: Sequence[Row], reason: str, at_us: int) -> None:
        super().remove(rows, reason, at_us)
        self.removed += [(row.camera, Path(row.path).name, reason) for row in rows]


class Site:
    """An archive of one or more facilities."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = HandClock()
        self.disk = Disk()
        self.index = WatchedIndex(root / "index.sqlite3")
        # Nothing here outlives the test.
        self.index._connection.execute("PRAGMA synchronous=OFF")
        self.cleaner = Cleaner(root, self.clock)
        self.busy: dict[int, int] = {}
        self.cleaner.rules = {"f1": Rules(30)}
        # Our clock has been steady for long.
        self.clock.now += 1000

    @property
    def now_us(self) -> int:
        return microseconds(self.clock.utc())

    def wants(self, days: Mapping[str, int], **rules: Rules) -> None:
        """What is to be kept from now on."""
        self.cleaner.days = days
        self.cleaner.rules = rules or {"f1": Rules(30)}

    def add(
        self,
        camera: str = "c",
        age_us: int = 0,
        size: int = GB,
        *,
        long_us: int = MINUTE_US,
        facility: str = "f1",
        opened: bool = False,
    ) -> Path:
        """Footage that began so long ago; its file is as large as the disk believes."""
        start_us = self.now_us - age_us
        path = (
            self.root / self.index.camera_folder(camera, facility, f"{facility}/{camera}") / "day" / f"{start_us}.mp4"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b".")
        number = self.index.open_segment(camera, "run", "h264", b"init", start_us, f"day/{path.name}")
        if not opened:
            self.index.close_segment(number, Closing(start_us, start_us + long_us, size, 1, b"", b""))
        self.disk.files[path] = size
        self.cleaner.space.written(size, self.clock.now)
        self.cleaner.places.written(1, self.clock.now)
        return path

    def number(self, path: Path) -> int:
        """The id of a segment by its file."""
        ((number,),) = self.index.query("SELECT id FROM segment WHERE path = ?", f"day/{path.name}")
        return int(number)

    def hold(self, camera: str, start_us: int, end_us: int, uid: str = "h") -> None:
        """Protect footage."""
        with self.index.transaction() as connection:
            connection.execute(
                "INSERT INTO hold (uid, camera, start_us, end_us, reason, who, at_us) VALUES (?, ?, ?, ?, '', '', 0)",
                (uid, camera, start_us, end_us),
            )

    def release(self, uid: str = "h") -> None:
        """Protect it no longer."""
        with self.index.transaction() as connection:
            connection.execute("UPDATE hold SET released_us = 1 WHERE uid = ?", (uid,))

    def turn(self) -> None:
        """One turn, after a look at the disk."""
        self.cleaner.space.looked(self.disk.total, self.disk.free, self.clock.now)
        self.cleaner.places.looked(self.disk.most_files, self.disk.free_files, self.clock.now)
        self.cleaner.turn(self.index, self.busy)

    def clean(self, seconds: float = 700) -> None:
        """Time goes by, and the cleaner does what is to be done."""
        self.clock.now += seconds
        for _ in range(10_000):
            if not self.cleaner.due(self.clock.now):
                return
            self.turn()
        raise AssertionError("the cleaner comes to no end")

    def told(self) -> Report:
        """What is told of the cleaning."""
        return self.cleaner.report

    def deletions(self) -> list[tuple[str, str]]:
        """Name of the file and reason, in the order in which they went."""
        return [(name, reason) for _, name, reason in self.index.removed]

    def journal(self) -> list[dict[str, Any]]:
        """The deletions that the journal tells."""
        return [entry for entry in journal.read(self.root) if entry["what"] == "delete"]


@contextlib.contextmanager
def site_in(root: Path) -> Iterator[Site]:
    """A site, whose index is closed in the end."""
    site = Site(root)
    try:
        yield site
    finally:
        site.index.close()


def rules(days: int = 30, quota: int = 0, least_us: int = YOUNGEST_US) -> Rules:
    """What a facility wants."""
    return Rules(days, quota, least_us)


DAY_US = 24 * HOUR_US


def swept(index: Index, root: Path, now_us: int, days: Mapping[str, int], *, full: bool = False) -> int:
    """Delete what is past its days, and, on a disk that is full, whatever may go. Returns how many files went."""
    clock = HandClock()
    clock.offset += (now_us - microseconds(clock.utc())) / 1e6 - 1000
    cleaner = Cleaner(root, clock)
    cleaner.rules, cleaner.days = {"f1": Rules(30)}, days
    clock.now += 1000
    before = len(list(root.rglob("*.mp4")))
    for _ in range(1000):
        if not cleaner.due(clock.now):
            return before - len(list(root.rglob("*.mp4")))
        cleaner.space.looked(1000 * GB, 0 if full else 1000 * GB, clock.now)
        cleaner.turn(index, {})
    raise AssertionError("the cleaner comes to no end")


def retained(archive: Archive, clock: HandClock) -> None:
    """A minute goes by, and the cleaner looks once more."""
    clock.now += 61
    wait_for(lambda: archive.cleaner.at > clock.now, 5)
