"""An export tells what it has no footage of in the words in which a camera's gaps are told, from a shell too."""

from collections.abc import Callable
from datetime import UTC, datetime
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.facility_cameras import engine
from custom_components.facility_cameras.engine.api import Duty
from custom_components.facility_cameras.engine.api_footage import Gap, GapReason
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.command_line import main
from custom_components.facility_cameras.engine.export import gap_words
from custom_components.facility_cameras.engine.gaps import NOT_WANTED, gaps
from tests.engine.archives import NOW_US, HandClock
from tests.engine.duties import SECOND_US, hand_run, index_of, live, record, run, settle
from tests.engine.exporting import Counted, manifest, request, work_of

type Told = list[tuple[int, int, str, str]]
START, END = -60, 2000


def by_engine(archive: Archive, folder: Path) -> tuple[Path, int]:
    """Where the export is, and how many gaps it counts."""
    asked = request(folder, start=NOW_US + START * SECOND_US, end=NOW_US + END * SECOND_US)
    work = work_of(asked, now_us=archive.duties.now_us)
    while not work.step(archive, Counted()):
        pass
    return work.path, work.gaps


def by_shell(archive: Archive, folder: Path) -> tuple[Path, int]:
    """The same from a shell."""
    run(archive)
    span = [datetime.fromtimestamp(NOW_US / 1e6 + seconds, UTC).isoformat() for seconds in (START, END)]
    assert main(["export", str(archive.root), str(folder), "--json", "--start", span[0], "--end", span[1]]) in (0, 1)
    (path,) = folder.iterdir()
    return path, -1


def told(found: dict[str, Any], key: str) -> Told:
    """In seconds since NOW_US."""

    def at(moment: dict[str, str]) -> int:
        return round(datetime.fromisoformat(moment["utc"]).timestamp() - NOW_US / 1e6)

    return [(at(one["start"]), at(one["end"]), one["reason"], one["cause"]) for one in found[key]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("export", [by_engine, by_shell])
def test_reasons(
    tmp_path: Path,
    folder: Path,
    export: Callable[[Archive, Path], tuple[Path, int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "archive", clock) as archive:
        live(
            archive,
            clock,
            (Duty.RECORD, "", 300, (0, 300)),
            (Duty.OFFLINE, "no_answer", 100, None),
            (Duty.RECORD, "", 100, (0, 100)),
            (Duty.OFF, "", 100, None),
            (Duty.IDLE, "", 200, None),
            # Ten seconds until there was a picture.
            (Duty.RECORD, "", 200, (10, 200)),
            (Duty.VOLUME, "full", 500, None),
            (Duty.RECORD, "", 100, (0, 100)),
            (Duty.RECORD, "", 100, (0, 100)),
            (Duty.RECORD, "", 100, (0, 100)),
            (Duty.RECORD, "", 100, (0, 100)),
        )
        clock.now += 100
        settle(archive)
        index = index_of(archive)
        rows = index.overlapping("c1", NOW_US, NOW_US + 1800 * SECOND_US)
        begin = {(row.start_us - NOW_US) // SECOND_US: row for row in rows}
        index.remove([begin[1500]], "space", NOW_US + 1900 * SECOND_US)
        index.remove([begin[1600]], "lost", NOW_US + 1900 * SECOND_US)
        (archive.root / begin[1700].path).unlink()
        path, count = export(archive, folder)
        capsys.readouterr()
        found = manifest(path)
        expected = [
            (300, 400, "offline", "no_answer"),
            (800, 810, "starting", ""),
            (1000, 1500, "volume", "full"),
            (1500, 1600, "deleted", "space"),
            (1600, 1700, "lost", ""),
        ]
        assert told(found, "gaps") == [
            (START, 0, "not_recorded", ""),
            *expected,
            (1700, 1800, "missed", "gone"),
            (1900, 1910, "interrupted", ""),
        ]
        assert told(found, "not_to_be_recorded") == [
            (500, 600, "off", ""),
            (600, 800, "idle", ""),
            (1910, END, "off", ""),
        ]
        assert count in (-1, len(found["gaps"]))
        page = (path / "README.txt").read_text()
        # By when each ended, whatever the zone; in both languages.
        for end, english, vietnamese in (
            (":06:40", "camera offline", "camera mất kết nối"),
            (":10:00", "recording switched off", "đã tắt ghi hình"),
            (":13:20", "not its time to record", "ngoài giờ ghi hình"),
            (":25:00", "disk not available", "ổ đĩa không dùng được"),
            (":26:40", "deleted by retention", "đã xóa theo thời hạn lưu"),
            (":28:20", "file lost", "mất tệp"),
            (":30:00", "file could not be exported", "không xuất được tệp"),
        ):
            lines = [line for line in page.splitlines() if f"{end} UTC" in line.rpartition(" – ")[2]]
            assert [line.rpartition(": ")[2] for line in lines] == [english, vietnamese]
        # As the timeline tells them, which does not know yet that a file is gone.
        listed = gaps(archive, "c1", NOW_US + START * SECOND_US, NOW_US + END * SECOND_US)["gaps"]
        assert [
            ((gap["start"] - NOW_US) // SECOND_US, (gap["end"] - NOW_US) // SECOND_US, gap["reason"], gap["cause"])
            for gap in listed
        ] == [*expected, (1900, 1910, "interrupted", "")]


def test_what_comes_after_it_was_planned_is_no_gap_of_it(tmp_path: Path, folder: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "archive", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        record(archive, NOW_US, NOW_US + 60 * SECOND_US)
        clock.now += 62
        settle(archive)
        planned_us = archive.duties.now_us
        # It goes on being recorded while it is copied.
        clock.now += 600
        settle(archive)
        asked = request(folder, start=NOW_US, end=NOW_US + 300 * SECOND_US)
        work = work_of(asked, now_us=planned_us)
        assert work.step(archive, Counted())
        assert told(manifest(work.path), "gaps") == [(60, 300, "not_recorded", "")]


@pytest.mark.parametrize(("place", "language"), enumerate(("en", "vi")))
def test_words_are_those_of_the_timeline(place: int, language: str) -> None:
    translations = Path(engine.__path__[0]).parent / "translations"
    words = json.loads((translations / f"{language}.json").read_text())["common"]
    for reason in GapReason:
        assert gap_words.WORDS[reason][place] == words[f"gap_{reason}"]
    assert set(NOT_WANTED) < set(gap_words.WORDS)


def test_the_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap_words, "LISTED", 2)
    gap: Gap = {"start": NOW_US, "end": NOW_US + SECOND_US, "reason": "down", "cause": ""}
    zone, names = ZoneInfo("UTC"), {"c1": "Gate\n- none"}
    english, vietnamese = gap_words.without_footage({"c1": [gap] * 5}, names, zone)
    line = "- Gate - none: 2026-11-25 00:00:00 UTC+00:00 – 2026-11-25 00:00:01 UTC+00:00: "
    assert english.splitlines()[1:] == [f"{line}engine not running"] * 2 + ["- 3 more: see manifest.json"]
    assert vietnamese.splitlines()[1:] == [f"{line}bộ xử lý không chạy"] * 2 + ["- còn 3 khoảng nữa: xem manifest.json"]
    assert gap_words.without_footage({"c1": []}, names, zone)[0].splitlines()[1:] == ["- none"]
