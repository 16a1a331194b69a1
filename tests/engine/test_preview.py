"""H.264 of H.265 footage: played while it grows, within bounds, and what happens when the worker fails."""

from collections.abc import Iterator
import itertools
from pathlib import Path
import re
from zoneinfo import ZoneInfo

import av
import psutil
import pytest

from custom_components.facility_cameras.engine import preview as module
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.clip_file import ClipError, Name
from custom_components.facility_cameras.engine.lane import Job, JobCancelledError
from custom_components.facility_cameras.engine.picture import preview_worker
from custom_components.facility_cameras.engine.preview import Preview, make_preview
from tests.engine.archives import NOW_US, archive_in
from tests.engine.clip_samples import number_of
from tests.engine.living import wait_for
from tests.engine.recorded import SECOND, Footage

CAMERAS = itertools.count()
NAME = Name("gate", ZoneInfo("UTC"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archive_in(tmp_path_factory.mktemp("archives") / "archive") as archive:
        wait_for(lambda: archive.index is not None)
        yield archive


@pytest.fixture
def footage(archive: Archive) -> Footage:
    return Footage(archive, f"p{next(CAMERAS)}", NOW_US)


def job() -> Job[Preview]:
    return Job("preview", "c", lambda _: pytest.fail("not run"), quick=True, kept=False)


def preview(footage: Footage, start_us: int, end_us: int, folder: Path) -> Preview:
    return make_preview(footage.archive, footage.camera, start_us, end_us, folder, NAME, job())


def shown(path: Path) -> list[tuple[int, float]]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [(number_of(frame), frame.time or 0.0) for frame in container.decode(video=0)]


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "preview_worker" in " ".join(child.cmdline())]


@pytest.mark.parametrize("kind", ["h265", "open", "reordered"])
def test_every_picture_in_time(footage: Footage, tmp_path: Path, kind: str) -> None:
    footage.record(kind, 4)
    footage.record(kind, 4, begin=None)
    made = preview(footage, NOW_US + 1_500_000, NOW_US + 6 * SECOND, tmp_path)
    pictures = shown(made.path)
    # From the key picture before to the end; ten pictures a second are no more than it may have.
    assert [number for number, _ in pictures] == list(range(10, 60))
    assert [time for _, time in pictures] == pytest.approx([1 + place / 10 for place in range(50)], abs=0.002)
    assert made.made is not None
    (file,) = made.made["files"]
    assert (file["codec"], file["pictures"], file["bytes"]) == ("h264", 50, made.path.stat().st_size)
    assert (file["start"], file["end"]) == (NOW_US + SECOND, NOW_US + 6 * SECOND)
    assert not workers()


@pytest.mark.parametrize("kind", ["h265", "reordered"])
def test_the_last_pictures_of_the_footage_are_in_it(footage: Footage, tmp_path: Path, kind: str) -> None:
    footage.record(kind, 2)
    made = preview(footage, NOW_US, footage.at_us, tmp_path)
    assert [number for number, _ in shown(made.path)] == list(range(20))


def test_a_playlist_that_grows(footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        footage.record("h265", 8)
    footage.record("h265", 8, hole_us=60 * SECOND)
    texts: list[str | None] = []
    running = job()
    flush = module._Writer._flush

    def noted(writer: module._Writer, end: int | None) -> None:
        flush(writer, end)
        assert running.partial is not None
        # Who asks for what was told of finds it in the file.
        told = running.partial.parts[-1:]
        assert all(running.partial.path.stat().st_size >= offset + size for offset, size, *_ in told)
        texts.append(running.partial.playlist())

    monkeypatch.setattr(module._Writer, "_flush", noted)
    made = make_preview(footage.archive, footage.camera, NOW_US, footage.at_us, tmp_path, NAME, running)
    final = made.playlist()
    assert texts[0] is None
    grown = [text for text in texts if text]
    assert len(grown) >= 10
    assert all(later.startswith(text) for text, later in itertools.pairwise(grown))
    assert all("TYPE:EVENT" in text and "ENDLIST" not in text for text in grown)
    assert final is not None
    assert final.endswith("#EXT-X-ENDLIST\n")
    assert final.count("#EXT-X-DISCONTINUITY") == 1
    # The file's bytes are all in it, in order.
    ranges = [(int(size), int(offset)) for size, offset in re.findall(r"BYTERANGE:(\d+)@(\d+)", final)]
    at = made.init_bytes
    for size, offset in ranges:
        assert offset == at
        at += size
    assert at == made.path.stat().st_size
    assert sum(map(float, re.findall(r"EXTINF:([\d.]+)", final))) == pytest.approx(24, abs=0.2)


def test_large_pictures_become_small_and_fast_ones_fewer() -> None:
    assert (preview_worker.WIDTH_MAX, preview_worker.FPS_MAX) == (640, 15)
    encoder = preview_worker._new_encoder((640, 360))
    assert encoder.name in preview_worker.ENCODERS


def test_the_worker_is_nobody(footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    footage.record("h265", 2)
    seen: list[tuple[int, int, set[str]]] = []
    ask = module._Worker.ask

    def looked(worker: module._Worker, codec: int, sets: bytes, parts: list[bytes]) -> list[tuple[int, bool, bytes]]:
        made = ask(worker, codec, sets, parts)
        if codec:
            (process,) = workers()
            seen.append(
                (process.uids().real, process.nice(), set(process.environ()) if process.uids().real == 0 else set())
            )
        return made

    monkeypatch.setattr(module._Worker, "ask", looked)
    preview(footage, NOW_US, NOW_US + SECOND, tmp_path)
    assert {nice for _, nice, _ in seen} == {10}
    if psutil.Process().uids().real == 0:
        assert {user for user, _, _ in seen} == {65534}


def test_a_worker_that_hangs_is_ended(footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    footage.record("h265", 2)
    monkeypatch.setattr(module, "BATCH_S", 0.0)
    with pytest.raises(ClipError) as failed:
        preview(footage, NOW_US, NOW_US + SECOND, tmp_path)
    assert failed.value.problem["cause"] == "not_decoded"
    assert not list(tmp_path.iterdir())
    assert not workers()


def test_without_an_encoder_it_is_said(footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    footage.record("h265", 2)
    script = tmp_path / "preview_worker.py"
    source = Path(preview_worker.__file__)
    script.write_text(source.read_text().replace('("libopenh264", "libx264")', '("nothing",)'))
    (tmp_path / "worker.py").write_text(source.with_name("worker.py").read_text())
    monkeypatch.setattr(module, "_SCRIPT", script)
    folder = tmp_path / "clips"
    folder.mkdir()
    with pytest.raises(ClipError) as failed:
        preview(footage, NOW_US, NOW_US + SECOND, folder)
    assert failed.value.problem["cause"] == "no_encoder"
    assert not list(folder.iterdir())


def test_damaged_footage_and_none(footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(ClipError) as failed:
        preview(footage, NOW_US, NOW_US + SECOND, tmp_path)
    assert failed.value.problem["cause"] == "no_footage_at_all"
    footage.record("h265", 4)
    path = Path(footage.paths[0])
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data), 200):
        data[place] ^= 0xFF
    path.write_bytes(data)
    made = preview(footage, NOW_US, NOW_US + 4 * SECOND, tmp_path)
    assert [number for number, _ in shown(made.path)][:10] == list(range(10))


def test_where_room_is_short_nothing_is_written(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage.record("h265", 2)
    monkeypatch.setattr(module, "ROOM_BYTES", 1 << 60)
    with pytest.raises(ClipError) as refused:
        preview(footage, NOW_US, NOW_US + SECOND, tmp_path)
    assert refused.value.problem["cause"] == "no_room"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("bound", "cause"), [("_BATCH_BYTES", "footage_damaged"), ("_CODED_BYTES", "not_decoded")])
def test_what_is_given_and_answered_is_bounded(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, cause: str
) -> None:
    footage.record("h265", 2)
    monkeypatch.setattr(module, bound, 100)
    with pytest.raises(ClipError) as refused:
        preview(footage, NOW_US, NOW_US + SECOND, tmp_path)
    assert refused.value.problem["cause"] == cause
    assert not list(tmp_path.iterdir())
    assert not workers()


def test_a_file_that_is_gone_is_left_out(footage: Footage, tmp_path: Path) -> None:
    footage.record("h265", 2)
    footage.record("h265", 2, begin=None)
    Path(footage.paths[0]).unlink()
    made = preview(footage, NOW_US, NOW_US + 4 * SECOND, tmp_path)
    assert [number for number, _ in shown(made.path)] == list(range(20, 40))


def test_it_can_be_cancelled(footage: Footage, tmp_path: Path) -> None:
    footage.record("h265", 8)
    running = job()
    running.cancel()
    with pytest.raises(JobCancelledError):
        make_preview(footage.archive, footage.camera, NOW_US, footage.at_us, tmp_path, NAME, running)
    assert not list(tmp_path.iterdir())
    assert not workers()
