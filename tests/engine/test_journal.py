"""The journal beside the footage: what is appended is read again, whatever a crash left behind."""

from pathlib import Path

from custom_components.facility_cameras.engine.archive import journal

NOV_US = 1_795_000_000_000_000
DEC_US = NOV_US + 30 * 86_400_000_000


def test_entries_come_back_in_order_over_months(tmp_path: Path) -> None:
    """Two months are two files, the older one first."""
    journal.append(tmp_path, DEC_US, [{"what": "release", "hold": "h"}])
    journal.append(tmp_path, NOV_US, [{"what": "hold", "hold": "h"}, {"what": "delete", "camera": "c"}])
    assert [entry["what"] for entry in journal.read(tmp_path)] == ["hold", "delete", "release"]
    assert [entry["at"] for entry in journal.read(tmp_path)] == [NOV_US, NOV_US, DEC_US]


def test_no_journal_is_no_error(tmp_path: Path) -> None:
    """An archive that never needed one."""
    assert list(journal.read(tmp_path)) == []


def test_a_line_cut_off_by_a_crash_loses_no_other(tmp_path: Path) -> None:
    """The next entry begins on a line of its own."""
    journal.append(tmp_path, NOV_US, [{"what": "hold", "hold": "first"}])
    (path,) = (tmp_path / "journal").iterdir()
    with path.open("ab") as file:
        file.write(b'{"at":17950000000')
    journal.append(tmp_path, NOV_US, [{"what": "hold", "hold": "second"}])
    assert [entry["hold"] for entry in journal.read(tmp_path)] == ["first", "second"]


def test_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    """Bytes that are no entry, however long, end in entries around them."""
    journal.append(tmp_path, NOV_US, [{"what": "hold", "hold": "first"}])
    (path,) = (tmp_path / "journal").iterdir()
    with path.open("ab") as file:
        file.write(b"\xff" * 200_000 + b"\n[1]\n7\n{}\n")
    journal.append(tmp_path, NOV_US, [{"what": "hold", "hold": "second"}])
    assert [entry["hold"] for entry in journal.read(tmp_path)] == ["first", "second"]
