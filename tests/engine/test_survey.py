"""The files are read again: what the index lost comes back, what the files lost is told, what is not ours is left alone."""

from collections.abc import Iterator
import hashlib
import os
from pathlib import Path
import struct
import tempfile

import pytest

from custom_components.facility_cameras.engine.archive import deletions, journal
from custom_components.facility_cameras.engine.archive.adoption import adopt, is_known
from custom_components.facility_cameras.engine.archive.behind import lose_if_gone
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments, unpack_fragments
from custom_components.facility_cameras.engine.archive.identity import read_head
from custom_components.facility_cameras.engine.archive.index import CLOSED, TAKEN_IN, Closing, Index, deletions_of
from custom_components.facility_cameras.engine.archive.repair import read_fragments
from custom_components.facility_cameras.engine.archive.rereading import Rereading
from custom_components.facility_cameras.engine.archive.survey import Findings, Survey
from custom_components.facility_cameras.engine.fmp4 import Fragmenter, box, identity_box
from custom_components.facility_cameras.engine.media import Sample
from tests.engine.archives import DAY_US, INIT, MINUTE_US, NOW_US

SECOND_US = 1_000_000


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.sqlite3")
    yield index
    index.close()


def content(camera: str, start_us: int, fragments: int = 3, run: str = "run") -> bytes:
    """A file as the engine writes it: fragments of 2 s, 50 pictures each."""
    fragmenter = Fragmenter()
    parts = [INIT, identity_box(camera, run)]
    for number in range(fragments):
        first = number * 180_000
        pictures = [Sample(first + n * 3600, 0, 20 + number, [bytes(20 + number)], key=n == 0) for n in range(50)]
        parts += fragmenter.build(pictures, [], first + 180_000, start_us + number * 2 * SECOND_US).parts
    return b"".join(parts)


def put_file(root: Path, path: str, data: bytes, written_us: int = 0) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    if written_us:
        os.utime(place, ns=(written_us * 1000, written_us * 1000))
    return place


def at(number: int) -> str:
    """The path, in a camera's folder, of a file that begins so many minutes into the day."""
    return f"2026-11-25/{number // 60:02}-{number % 60:02}-00.000Z.mp4"


def put_row(index: Index, root: Path, camera: str, number: int) -> Path:
    """A file and its row."""
    start_us = NOW_US + number * MINUTE_US
    folder = index.camera_folder(camera, "f1", f"f/{camera}")
    data = content(camera, start_us)
    path = put_file(root, f"{folder}/{at(number)}", data)
    fragments = pack_fragments(read_fragments(path, len(INIT)).fragments)
    segment = index.open_segment(camera, "run", "h264", INIT, start_us, at(number))
    closing = Closing(start_us, start_us + 6 * SECOND_US, len(data), 150, hashlib.sha256(data).digest(), fragments)
    index.close_segment(segment, closing)
    return path


def survey(index: Index, root: Path) -> Findings:
    """All steps of it, and of reading."""
    one = Survey(index, root, lambda rows, reason: lose_if_gone(index, root, rows, reason, NOW_US + DAY_US))
    for _ in one.steps():
        pass
    for _ in Rereading(index, root, one.findings, lambda _size: None).steps():
        pass
    return one.findings


def rows(index: Index) -> list[tuple[object, ...]]:
    return index.query(
        "SELECT uid, folder, start_us, end_us, segment.bytes, pictures, state, hex(sha256), fragments "
        "FROM segment JOIN camera ON camera.id = segment.camera ORDER BY uid, start_us"
    )


def test_index_comes_back_from_the_files_alone(tmp_path: Path, index: Index) -> None:
    """Promise I1."""
    for camera in ("a", "b"):
        for number in range(5):
            put_file(
                tmp_path, f"site/{camera}/{at(number)}", content(camera, NOW_US + number * MINUTE_US, run=f"r{camera}")
            )
    found = survey(index, tmp_path)
    assert found.counts == {"taken_in": 10}
    data = content("b", NOW_US + 4 * MINUTE_US, run="rb")
    row = rows(index)[-1]
    assert row[:8] == (
        "b", "site/b", NOW_US + 4 * MINUTE_US, NOW_US + 4 * MINUTE_US + 6 * SECOND_US, len(data), 150, TAKEN_IN,
        hashlib.sha256(data).hexdigest().upper(),
    )  # fmt: skip
    assert isinstance(row[8], bytes)
    told = unpack_fragments(row[8])
    assert len(INIT) + sum(one.bytes for one in told) == len(data)
    assert [(one.duration_us, one.key) for one in told] == [(2_000_000, True)] * 3
    assert index.query("SELECT uid, segments FROM run ORDER BY uid") == [("ra", 5), ("rb", 5)]
    ((total,),) = index.query("SELECT sum(bytes) FROM camera")
    assert total == sum(path.stat().st_size for path in tmp_path.rglob("*.mp4"))
    # The camera's facility tells the hub when it records again.
    assert index.camera_folder("a", "f9", "site/other") == "site/a"
    assert index.footage("f9")[1] == NOW_US
    # Once more finds nothing, and takes nothing in twice.
    before = rows(index)
    assert survey(index, tmp_path).counts == {}
    assert rows(index) == before


def test_nothing_is_taken_in_twice(tmp_path: Path, index: Index) -> None:
    """Whoever asks: a file that was recorded since its folder was read is known by now."""
    path = put_row(index, tmp_path, "a", 0).relative_to(tmp_path).as_posix()
    odd = put_file(tmp_path, "elsewhere/odd.mp4", content("a", NOW_US + MINUTE_US))
    head, odd_head = read_head(tmp_path / path), read_head(odd)
    assert head is not None
    assert odd_head is not None
    files = [(path, head), ("elsewhere/odd.mp4", odd_head)]
    assert adopt(index, files) == ["elsewhere/odd.mp4"]
    assert adopt(index, files) == []
    assert is_known(index, path)
    assert not is_known(index, path.replace("a/2026", "b/2026"))
    assert not is_known(index, path.replace("00-00-00", "00-00-99"))


def test_footage_taken_in_never_overlaps(tmp_path: Path, index: Index) -> None:
    """Files say their media time; the time of day may have been pulled by up to 500 ppm while they were recorded."""
    starts = [NOW_US, NOW_US + 6 * SECOND_US - 900, NOW_US + 12 * SECOND_US + 500, NOW_US + 19 * SECOND_US]
    for number, start_us in enumerate(starts):
        put_file(tmp_path, f"s/a/2026-11-25/{number}.mp4", content("a", start_us), start_us + DAY_US)
    survey(index, tmp_path)
    assert index.query("SELECT start_us, end_us FROM segment ORDER BY start_us") == [
        (starts[0], starts[1]),
        (starts[1], starts[2]),
        (starts[2], starts[2] + 6 * SECOND_US),
        (starts[3], starts[3] + 6 * SECOND_US),
    ]


def test_end_is_told_before_a_file_is_read(tmp_path: Path, index: Index) -> None:
    for number, written_us in enumerate((50 * SECOND_US, 400 * DAY_US, -5, 11 * MINUTE_US, 60 * MINUTE_US - 1)):
        start_us = NOW_US + number * 10 * MINUTE_US
        put_file(tmp_path, f"s/a/{at(number * 10)}", content("a", start_us), start_us + written_us)
    for _ in Survey(index, tmp_path, lambda rows, reason: None).steps():
        pass
    lasted = [
        (end - start) / 1e6 for start, end in index.query("SELECT start_us, end_us FROM segment ORDER BY start_us")
    ]
    assert lasted == [50, 60, 60, 600, 3599.999999]
    assert len(index.unread(10)) == 5


def test_file_that_somebody_took_away_becomes_a_gap_with_a_reason(tmp_path: Path, index: Index) -> None:
    """Promise I3."""
    paths = [put_row(index, tmp_path, "a", number) for number in range(6)]
    # Entered in the journal by retention, and deleted; then the engine was killed.
    row = index.oldest("a", NOW_US + DAY_US, 1)
    journal.append(tmp_path, NOW_US, deletions.entries(deletions_of(row, "days", NOW_US)))
    paths[0].unlink()
    paths[2].unlink()
    paths[3].rename(tmp_path / "elsewhere.bin")
    found = survey(index, tmp_path)
    assert found.counts == {"lost": 2}
    assert found.paths["lost"] == [f"f/a/{at(2)}", f"f/a/{at(3)}"]
    # The gap between two files is longer than a second: two ranges.
    assert [(one.start_us - NOW_US, one.files, one.reason) for one in index.deletions()] == [
        (0, 1, "days"), (2 * MINUTE_US, 1, "lost"), (3 * MINUTE_US, 1, "lost"),
    ]  # fmt: skip
    assert [entry["reason"] for entry in journal.read(tmp_path)] == ["days", "lost", "lost"]
    assert len(rows(index)) == 3
    assert survey(index, tmp_path).counts == {}


def test_whole_folder_that_is_gone(tmp_path: Path, index: Index) -> None:
    for number in range(3):
        put_row(index, tmp_path, "a", number).unlink()
    (tmp_path / "f" / "a" / "2026-11-25").rmdir()
    (tmp_path / "f" / "a").rmdir()
    (tmp_path / "f" / "a").touch()
    assert survey(index, tmp_path).counts == {"lost": 3}
    assert rows(index) == []


def test_renamed_and_moved_files_are_found_again(tmp_path: Path, index: Index) -> None:
    paths = [put_row(index, tmp_path, "a", number) for number in range(4)]
    put_row(index, tmp_path, "b", 0)
    paths[0].rename(paths[0].with_name("Tên lạ 'x\" %s.mp4"))
    paths[1].rename(tmp_path / "f" / "b" / "2026-11-25" / "moved.mp4")
    paths[2].rename(tmp_path / "top.mp4")
    found = survey(index, tmp_path)
    assert found.counts == {"lost": 3, "taken_in": 3}
    assert sorted(row.path for row in index.overlapping("a", NOW_US, NOW_US + DAY_US)) == [
        f"f/a/{at(3)}", "f/a/2026-11-25/Tên lạ 'x\" %s.mp4", "f/b/2026-11-25/moved.mp4", "top.mp4",
    ]  # fmt: skip
    assert survey(index, tmp_path).counts == {}


def test_what_is_not_ours_is_left_alone(tmp_path: Path, index: Index) -> None:
    put_row(index, tmp_path, "a", 0)
    day = "f/a/2026-11-25"
    start_us = NOW_US + 10 * MINUTE_US
    others = {
        "empty": b"",
        "text": b"hello" * 100,
        "foreign": box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", bytes(80)) + box(b"mdat", bytes(500)),
        "no identity": INIT + content("a", start_us)[len(INIT + identity_box("a", "run")) :],
        "another's box": content("a", start_us).replace(identity_box("a", "run")[8:24], bytes(16)),
        "no ids": content("a", start_us).replace(b'"camera"', b'"CAMERA"'),
        "not JSON": content("a", start_us).replace(b'{"camera"', b'{{camera"'),
        "ids of numbers": content("a", start_us).replace(b': "a"', b": 777"),
        "only its head": INIT + identity_box("a", "run"),
        "endless": struct.pack(">I4s", 0xFFFFFFFF, b"ftyp") + bytes(100),
    }
    for name, data in others.items():
        put_file(tmp_path, f"{day}/{name}.mp4", data)
    outside = put_file(tmp_path.parent, "outside/x.mp4", content("a", start_us))
    (tmp_path / day / "link.mp4").symlink_to(outside)
    (tmp_path / "f" / "a" / "linked").symlink_to(outside.parent)
    os.mkfifo(tmp_path / day / "pipe.mp4")
    Path(os.fsdecode(os.fsencode(tmp_path / day) + b"/\xff\xfe.mp4")).write_bytes(content("a", start_us))
    put_file(tmp_path, ".trash/x.mp4", content("a", start_us))
    put_file(tmp_path, f"{day}/note.txt", b"x")
    before = sorted(tmp_path.rglob("*"))
    found = survey(index, tmp_path)
    assert found.counts == {"foreign": len(others) + 1}
    assert f"{day}/\\udcff\\udcfe.mp4" in found.paths["foreign"]
    assert len(rows(index)) == 1
    assert sorted(tmp_path.rglob("*")) == before
    for name, data in others.items():
        assert (tmp_path / day / f"{name}.mp4").read_bytes() == data


def test_truncated_and_grown_files_are_repaired_and_named(tmp_path: Path, index: Index) -> None:
    paths = [put_row(index, tmp_path, "a", number) for number in range(5)]
    whole = [path.read_bytes() for path in paths]
    one = len(INIT + identity_box("a", "run"))
    first = content("a", NOW_US, 1)
    os.truncate(paths[0], len(first) + 100)
    with paths[1].open("ab") as file:
        file.write(b"rubbish")
    paths[2].write_bytes(os.urandom(5000))
    os.truncate(paths[3], one // 2)
    found = survey(index, tmp_path)
    assert found.counts == {"changed": 4, "cut": 2, "damaged": 2}
    assert paths[0].read_bytes() == first
    assert paths[1].read_bytes() == whole[1]
    sizes = [len(first), len(whole[1]), 5000, one // 2, len(whole[4])]
    assert [(row[4], row[6]) for row in rows(index)] == [(s, CLOSED if s is sizes[4] else TAKEN_IN) for s in sizes]
    for path, row in zip(paths, rows(index), strict=True):
        assert row[7] == hashlib.sha256(path.read_bytes()).hexdigest().upper()
    assert index.footage("f1")[0] == sum(sizes)
    assert survey(index, tmp_path).counts == {}


def test_what_is_being_written_is_left_alone(tmp_path: Path, index: Index) -> None:
    folder = index.camera_folder("a", "f1", "f/a")
    index.open_segment("a", "run", "h264", INIT, NOW_US, at(0))
    path = put_file(tmp_path, f"{folder}/{at(0)}", content("a", NOW_US)[:-10])
    index.open_segment("a", "run", "h264", INIT, NOW_US + MINUTE_US, at(1))
    assert survey(index, tmp_path).counts == {}
    assert path.stat().st_size == len(content("a", NOW_US)) - 10
    assert [row.path for row in index.unfinished()] == [f"f/a/{at(0)}", f"f/a/{at(1)}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_folder_that_cannot_be_read_says_nothing(index: Index) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        for camera in ("a", "b"):
            put_row(index, root, camera, 0)
        put_row(index, root, "b", 1).unlink()
        (root / "f" / "a" / "2026-11-25").chmod(0)
        (root / "f" / "b" / "2026-11-25" / "new.mp4").touch(0)
        os.seteuid(65534)
        try:
            one = Survey(index, root, lambda rows, reason: None)
            for _ in one.steps():
                pass
        finally:
            os.seteuid(0)
    assert one.findings.paths["unreadable"] == ["f/a/2026-11-25", "f/b/2026-11-25/new.mp4"]
    assert one.findings.paths["lost"] == [f"f/b/{at(1)}"]
    assert len(rows(index)) == 3


def test_row_is_not_lost_whose_file_came_back(tmp_path: Path, index: Index) -> None:
    """Between the look and the writer thread's turn a volume may come back."""
    path = put_row(index, tmp_path, "a", 0)
    asked = index.oldest("a", NOW_US + DAY_US, 9)
    lose_if_gone(index, tmp_path, asked, "lost", NOW_US)
    assert len(rows(index)) == 1
    path.unlink()
    lose_if_gone(index, tmp_path, asked, "lost", NOW_US)
    lose_if_gone(index, tmp_path, asked, "lost", NOW_US)
    assert [one.files for one in index.deletions()] == [1]
    assert len(list(journal.read(tmp_path))) == 1
