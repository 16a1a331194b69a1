"""What tests of faults share: a file layer in which any call can fail, the scripted life of an archive, and a judge.

A life: an archive in which a crash left one file unfinished and one is past its days is opened; two cameras record
three segments with a flush between; the unfinished file is repaired and the old one deleted; the archive is closed.
No thread and no time of its own, so each life makes the same calls in the same order.
"""

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass, field
import errno
import functools
import hashlib
import os
from pathlib import Path
import shutil
import sqlite3
import time
from typing import Any

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.behind import Behind
from custom_components.facility_cameras.engine.archive.beside import Beside
from custom_components.facility_cameras.engine.archive.files import Files
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.archive.recording import Recording
from custom_components.facility_cameras.engine.fmp4 import Fragment, Fragmenter
from custom_components.facility_cameras.engine.media import Sample
from tests.engine.archives import DAY_US, IDENTITY, INIT, NOW_US, HandClock, ask
from tests.engine.living import mark

#: Every call of the file layer.
CALLS = tuple(name for name in vars(Files) if not name.startswith("_"))
FRAGMENT_US = 2_000_000
ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EROFS", "ENOENT", "ESTALE", "EHOSTDOWN", "EACCES", "EMFILE")
#: Codes of SQLite's.
INDEX_ERRORS = {"full": sqlite3.SQLITE_FULL, "ioerr": sqlite3.SQLITE_IOERR, "busy": sqlite3.SQLITE_BUSY}
HEAD = INIT + IDENTITY
#: Where lives are played: in memory if the machine has such a place.
FAST = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None


class FaultyFiles(Files):
    """Asks `plan` before each call: it may raise, or return what is to be done instead of the call."""

    def __init__(self, plan: Callable[[int, str], Callable[..., Any] | None] | None = None) -> None:
        self.plan = plan
        self.calls: list[str] = []

    def ask(self, name: str) -> Callable[..., Any] | None:
        self.calls.append(name)
        return self.plan(len(self.calls) - 1, name) if self.plan is not None else None


def _asking(name: str) -> Callable[..., Any]:
    real = getattr(Files, name)

    @functools.wraps(real)
    def call(self: FaultyFiles, *args: Any) -> Any:
        instead = self.ask(name)
        return real(self, *args) if instead is None else instead(functools.partial(real, self), *args)

    return call


for _name in CALLS:
    setattr(FaultyFiles, _name, _asking(_name))


@dataclass
class Fault:
    """A plan: the call with this number fails in this way, and if it is `lasting` all that come until it is healed."""

    number: int
    way: str
    lasting: bool
    healed: bool = False

    def __call__(self, number: int, name: str) -> Callable[..., Any] | None:
        if self.healed or number < self.number or (number > self.number and not self.lasting):
            return None
        return ways(name).get(self.way)

    def heal(self) -> None:
        self.healed = True


def ways(name: str) -> dict[str, Callable[..., Any]]:
    """All ways in which a call can fail."""
    if name == "transaction":
        found = {}
        for told, code in INDEX_ERRORS.items():
            error = sqlite3.OperationalError(told)
            error.sqlite_errorcode = code
            found[told] = failing(name, error)
        return found
    found = {told: failing(name, OSError(getattr(errno, told), told)) for told in ERRORS}
    found["late"] = failing_late(name, OSError(errno.EHOSTDOWN, "done, but not told"))
    if name in ("write", "writev"):
        found["short"] = half
    return found


def failing(name: str, error: OSError | sqlite3.Error) -> Callable[..., Any]:
    """The call fails and has done nothing; only closing always closes."""

    def fail(real: Callable[..., Any], *args: Any) -> Any:
        if name == "close":
            real(*args)
        if name == "exists" and isinstance(error, FileNotFoundError):
            return False
        raise error

    return fail


def failing_late(name: str, error: OSError) -> Callable[..., Any]:
    """The call fails although it was done, as when a server's answer is lost; of a write, the half."""

    def fail(real: Callable[..., Any], *args: Any) -> Any:
        if name in ("write", "writev"):
            half(real, *args)
        else:
            done = real(*args)
            if name == "open":
                os.close(done)
        raise error

    return fail


def half(_real: Callable[..., Any], fd: int, content: Any) -> int:
    """A short write."""
    whole = b"".join(content) if isinstance(content, list) else bytes(content)
    return os.write(fd, whole[: max(1, len(whole) // 2)])


def _nothing(_behind: Behind) -> None:
    """In the place of beginning."""


def _at_once(_beside: Beside, job: Callable[[], None]) -> None:
    """Here and now."""
    job()


@contextlib.contextmanager
def deleting_at_once() -> Iterator[None]:
    """Files are not deleted beside the writer thread, but by it."""
    start = Beside.start
    Beside.start = _at_once  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Beside.start = start  # type: ignore[method-assign]


@contextlib.contextmanager
def alone(files: FaultyFiles) -> Iterator[None]:
    """Nothing runs behind, so that the calls come in one order; each transaction of the index is a call too."""
    real, start = Index.transaction, Behind.start

    @contextlib.contextmanager
    def transaction(self: Index) -> Iterator[sqlite3.Connection]:
        instead = files.ask("transaction")
        if instead is not None:
            instead(lambda *_: None)
        with real(self) as connection:
            yield connection

    Index.transaction = transaction  # type: ignore[method-assign]
    Behind.start = _nothing  # type: ignore[method-assign, assignment]
    try:
        with deleting_at_once():
            yield
    finally:
        Index.transaction = real  # type: ignore[method-assign]
        Behind.start = start  # type: ignore[method-assign]


def piece(camera: str, start_us: int) -> Fragment:
    """A fragment of 2 s unlike any other."""
    content = f"{camera} {start_us} ".encode() * 2
    pictures = [Sample(n * 3600, 0, len(content), [content], key=n == 0) for n in range(50)]
    return Fragmenter().build(pictures, [], 180_000, start_us)


@dataclass
class Life:
    """A scripted life in `folder`; what was put is remembered."""

    folder: Path
    files: Files
    clock: HandClock = field(default_factory=HandClock)
    #: By camera: start and bytes of each fragment, and the clock's time when it was put.
    put: dict[str, list[tuple[int, bytes, float]]] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)
    #: What is past its days.
    past: list[tuple[int, bytes, float]] = field(default_factory=list)
    #: The file that a crash left, relative to `folder`.
    left_open: str = ""

    @property
    def root(self) -> Path:
        return self.folder / "archive"

    def prepare(self) -> None:
        """What the life begins with."""
        self.root.mkdir(parents=True)
        (self.folder / "state").mkdir()
        mark(self.root)
        archive = self.open()
        for start_us in (NOW_US - 40 * DAY_US, NOW_US - DAY_US):
            recording = self.begin(archive, "c0", start_us)
            self.write(recording, 2)
            if start_us < NOW_US - 30 * DAY_US:
                recording.close(start_us, start_us + 2 * FRAGMENT_US)
                self.past = self.put.pop("c0")
            self.turns(archive)
        # As a crash leaves it: the row open, and behind the last whole fragment a part of one.
        archive.end()
        archive.work()
        with contextlib.closing(sqlite3.connect(self.root / INDEX)) as connection:
            connection.execute(
                "UPDATE segment SET state = 0, bytes = 0, sha256 = NULL, fragments = x'', end_us = start_us "
                "WHERE start_us = ?", (NOW_US - DAY_US,),
            )  # fmt: skip
            ((name,),) = connection.execute(
                "SELECT folder || '/' || path FROM segment JOIN camera ON camera.id = segment.camera "
                "WHERE start_us = ?", (NOW_US - DAY_US,),
            )  # fmt: skip
            connection.commit()
        self.left_open = f"archive/{name}"
        file = self.root / name
        file.write_bytes(file.read_bytes() + b"".join(piece("c0", NOW_US).parts)[:500])

    def open(self) -> Archive:
        archive = Archive(self.root, "A1", self.clock, remembered=self.folder / "state", files=self.files)
        archive.cleaner.days = {"c0": 30, "c1": 30, "c2": 30}
        return archive

    def begin(self, archive: Archive, camera: str, start_us: int) -> Recording:
        recording = archive.begin(camera, "f1", f"f/{camera}", "run", "h264", INIT, IDENTITY, start_us)
        self.recordings.append(recording)
        return recording

    def write(self, recording: Recording, count: int, archive: Archive | None = None) -> None:
        for _ in range(count):
            start_us = recording.start_us + recording.taken_us
            built = piece(recording.camera, start_us)
            self.put.setdefault(recording.camera, []).append((start_us, b"".join(built.parts), self.clock.now))
            recording.write(built, FRAGMENT_US)
            if archive is not None:
                self.turns(archive, 3)
            self.clock.now += FRAGMENT_US / 1e6

    def settle(self, archive: Archive) -> None:
        """Until all files have been looked at, and those that were taken in are read."""
        until = time.monotonic() + 10
        while (behind := archive._holding.behind) is None or not behind.read:
            assert time.monotonic() < until
            archive.work_once(0.005)
        self.turns(archive)

    def turns(self, archive: Archive, count: int = 12) -> None:
        for _ in range(count):
            archive.work_once(0)

    def play(self) -> Archive:
        """Until just before the end."""
        archive = self.open()
        self.turns(archive)
        first, other = self.begin(archive, "c1", NOW_US), self.begin(archive, "c2", NOW_US)
        self.write(first, 3, archive)
        first.sync()
        self.turns(archive)
        self.write(other, 7, archive)
        first.close(NOW_US, NOW_US + 3 * FRAGMENT_US)
        other.close(NOW_US, NOW_US + 7 * FRAGMENT_US)
        second = self.begin(archive, "c1", NOW_US + 3 * FRAGMENT_US)
        self.write(second, 2, archive)
        second.close(second.start_us, second.start_us + 2 * FRAGMENT_US)
        self.turns(archive)
        # Long enough for the clock to be trusted: what is past its days goes.
        self.clock.now += 601
        self.turns(archive)
        return archive

    def get_over(self, archive: Archive) -> None:
        """The fault is gone: recording goes on by itself, all that waits is written, repaired, deleted."""
        for _ in range(3):
            self.clock.now += 61
            self.turns(archive)
        self.clock.now += 601
        self.turns(archive)
        third = self.begin(archive, "c1", NOW_US + 100 * FRAGMENT_US)
        self.write(third, 1, archive)
        assert third.landed, "recording does not go on"
        third.close(third.start_us, third.start_us + FRAGMENT_US)
        self.turns(archive)
        assert archive.volume.writable, archive.volume
        assert not archive.kept_bytes
        archive.end()
        archive.work()


def copied(life: Life, folder: Path, files: Files) -> Life:
    """The same life in another folder, which is a copy of the first."""
    shutil.copytree(life.folder, folder)
    put = {camera: list(pieces) for camera, pieces in life.put.items()}
    return Life(folder, files, put=put, past=life.past, left_open=life.left_open)


def judge(life: Life) -> dict[str, list[tuple[int, bytes, float]]]:
    """Promises I1 to I3 and I6 hold for a closed archive; returns what was put and is not there. Every row is a file with
    its hash and nothing but whole fragments in it, in order, at their times, no two overlap, and every file has a row.
    """
    root = life.root
    lost = {camera: list(pieces) for camera, pieces in life.put.items()}
    lost.setdefault("c0", []).extend(life.past)
    rows = ask(
        root,
        "SELECT uid, folder || '/' || path, start_us, end_us, segment.bytes, state, sha256, pictures FROM segment "
        "JOIN camera ON camera.id = segment.camera ORDER BY uid, start_us",
    )
    ended: dict[object, int] = {}
    for camera, path, start_us, end_us, size, state, digest, pictures in rows:
        assert state != 0, f"{path} is not closed"
        content = (root / str(path)).read_bytes()
        assert len(content) == size, path
        assert hashlib.sha256(content).digest() == digest, path
        if (pictures, end_us) == (0, start_us):
            # Damaged by a power cut from its beginning: kept, and claims nothing.
            continue
        assert content.startswith(HEAD), path
        assert int(str(start_us)) >= ended.get(camera, 0) - 2, f"{path} overlaps"
        ended[camera] = int(str(end_us))
        at_us, position = int(str(start_us)), len(HEAD)
        while position < len(content):
            found = next(
                (one for one in lost[str(camera)] if content.startswith(one[1], position) and abs(one[0] - at_us) <= 2),
                None,
            )
            assert found is not None, f"{path}: what is at {position} is not what is to be there"
            lost[str(camera)].remove(found)
            position += len(found[1])
            at_us += FRAGMENT_US
        assert abs(at_us - int(str(end_us))) <= 2, path
    known = {str(path) for _, path, *_ in rows}
    for file in root.rglob("*.mp4"):
        assert str(file.relative_to(root)) in known or file.read_bytes().endswith(life.past[-1][1]), f"{file}"
    missing = {camera: [one for one in pieces if one not in life.past] for camera, pieces in lost.items()}
    return {camera: pieces for camera, pieces in missing.items() if pieces}
