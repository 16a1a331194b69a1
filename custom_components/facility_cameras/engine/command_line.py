"""The archive for the person with a shell: check, rebuild, list, du, export; and what was observed of the cameras: ledger.
Works without Home Assistant and without an engine.

    python -P custom_components/facility_cameras/engine check ARCHIVE
    python -P custom_components/facility_cameras/engine ledger verify FOLDER

check, list, du and export may run beside an engine that records; rebuild refuses then. Exit codes: 0 nothing was found, 1
something was, 2 wrong use or a disk that fails, 3 an engine holds the archive, 130 interrupted.
"""

import argparse
from collections.abc import Callable, Sequence
import contextlib
from datetime import UTC, datetime
import getpass
import json
from pathlib import Path
import sqlite3
import sys
import time
from zoneinfo import ZoneInfo

from .archive.check import check
from .archive.copied_index import copied_index
from .archive.rebuild import HeldError, is_held, rebuild
from .export.plan import ExportError
from .export.shell import export
from .ledger import shell as ledger

FOUND, WRONG, HELD, INTERRUPTED = 1, 2, 3, 130
#: The integration's own words lie beside the engine.
_WORDS = Path(__file__).parent.parent / "translations" / "en.json"
#: The progress bar is drawn anew so often, and is so wide.
_DRAW_S, _WIDTH = 0.25, 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    options = _options(arguments)
    root: Path = options.archive
    try:
        if not root.is_dir():
            raise NotADirectoryError(f"{root} is no folder")
        code: int = options.do(root, options)
    except HeldError as error:
        sys.stderr.write(f"{error}: end it first\n")
        return HELD
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="engine", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, do, told in (
        ("check", _check, "compare files, index and journal, and name what is wrong"),
        ("rebuild", _rebuild, "make the index again from the files and the journal"),
        ("list", _list, "cameras and their footage, or one camera's footage"),
        ("du", _du, "bytes by camera and day"),
        ("export", _export, "copy footage out, with manifest and checksums; the same command again goes on"),
    ):
        command = commands.add_parser(name, help=told, description=told)
        command.set_defaults(do=do)
        command.add_argument("archive", metavar="ARCHIVE", type=Path, help="the archive's folder")
        command.add_argument("--json", action="store_true", help="a line of JSON for each thing, for programs")
        if name in ("check", "rebuild"):
            command.add_argument("--rate", metavar="MB/s", type=float, default=0, help="read at this rate at most")
        if name == "check":
            command.add_argument("--hash", action="store_true", help="read every file and compare its SHA-256")
        if name == "export":
            _export_options(command)
        if name == "list":
            command.add_argument("--camera", metavar="ID", help="the footage of this camera")
    told = "what was observed of the cameras: show it, or verify that what was shown can be computed from it"
    command = commands.add_parser("ledger", help=told, description=told)
    command.set_defaults(do=_ledger)
    ledger.options(command)
    return parser.parse_args(arguments)


def _export_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="FOLDER", type=Path, help="where to; it must be there")
    command.add_argument("--start", type=datetime.fromisoformat, required=True, help="such as 2026-11-23T14:30")
    command.add_argument("--end", type=datetime.fromisoformat, required=True)
    command.add_argument("--camera", metavar="ID", action="append", default=[], help="only this one (may be repeated)")
    command.add_argument(
        "--zone", type=ZoneInfo, default=ZoneInfo("UTC"), help="of the times, such as Asia/Ho_Chi_Minh"
    )
    command.add_argument("--tar", action="store_true", help="one file instead of a folder")
    command.add_argument("--who", default=getpass.getuser(), help="who exports, for the manifest")
    command.add_argument("--reason", default="", help="why, for the manifest")


def _ledger(folder: Path, options: argparse.Namespace) -> int:
    return ledger.run(folder, options, lambda told, line: _tell(options, told, line))


def _export(root: Path, options: argparse.Namespace) -> int:
    start_us, end_us = (_moment(moment, options.zone) for moment in (options.start, options.end))
    bar = _Bar("export")
    try:
        if start_us >= end_us:
            raise ValueError("the start is not before the end")
        work = export(
            root, options.camera, start_us, end_us, options.folder.resolve(), zone=options.zone,
            form="tar" if options.tar else "folder", who=options.who, reason=options.reason, progress=bar.draw,
        )  # fmt: skip
    except ExportError as error:
        bar.clear()
        sys.stderr.write(f"{_sentence(error)}\n")
        return WRONG
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    bar.clear()
    told = {"path": str(work.path), "files": work.files, "bytes": work.bytes, "gaps": work.gaps, "missed": work.missed}
    _tell(options, told, f"{work.path}: {work.files} files, {work.bytes} bytes, {work.gaps} gaps")
    if not options.json:
        for one in work.missed:
            _print(f"{one['why']:12} {one['file']}")
    return FOUND if work.missed else 0


def _sentence(error: ExportError) -> str:
    """What went wrong, in the words in which Home Assistant would tell it."""
    try:
        told = json.loads(_WORDS.read_bytes())["exceptions"][f"export_{error.cause}"]["message"]
        return str(told).format(**error.placeholders)
    except OSError, ValueError, KeyError:
        # The engine's folder was copied to somewhere alone.
        return " ".join([error.cause, *error.placeholders.values()])


def _moment(moment: datetime, zone: ZoneInfo) -> int:
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return round(at.timestamp() * 1_000_000)


def _check(root: Path, options: argparse.Namespace) -> int:
    count = 0
    bar = _Bar("check")
    wait = _keeping_rate(options.rate * 1e6)
    for finding in check(root, held=is_held(root), read=options.hash, wait=wait, progress=bar.draw):
        count += 1
        bar.clear()
        told = {name: getattr(finding, name) for name in ("code", "promise", "path", "sentence")}
        _tell(options, told, f"{finding.code:24} {finding.promise:3} {finding.path}  {finding.sentence}")
    bar.clear()
    if not options.json:
        _print(f"{count} found" if count else "nothing was found")
    return FOUND if count else 0


def _rebuild(root: Path, options: argparse.Namespace) -> int:
    bar = _Bar("rebuild")
    findings = rebuild(root, _keeping_rate(options.rate * 1e6), bar.draw)
    bar.clear()
    for kind, count in sorted(findings.counts.items()):
        _tell(options, {"kind": kind, "files": count, "paths": findings.paths[kind]}, f"{kind:12} {count:10}")
        if kind != "taken_in" and not options.json:
            for path in findings.paths[kind]:
                _print(f"  {path}")
    return FOUND if findings.counts.keys() - {"taken_in"} else 0


def _list(root: Path, options: argparse.Namespace) -> int:
    with copied_index(root) as index:
        if options.camera:
            if not index.query("SELECT 1 FROM camera WHERE uid = ?", options.camera):
                sys.stderr.write(f"no camera of this archive has the id {options.camera}\n")
                return WRONG
            for path, start_us, end_us, size, state, _ in index.files(options.camera):
                told = {"start": start_us, "end": end_us, "bytes": size, "open": state == 0, "path": path}
                _tell(options, told, f"{_time(start_us)}  {_time(end_us)}  {size:12}  {path}")
            return 0
        cameras = index.query(
            "SELECT uid, facility, folder, camera.bytes, min(start_us), max(end_us), count(segment.id) "
            "FROM camera LEFT JOIN segment ON segment.camera = camera.id GROUP BY camera.id ORDER BY folder"
        )
        for camera, facility, folder, size, start_us, end_us, count in cameras:
            told = {
                "camera": camera, "facility": facility, "folder": folder, "bytes": size, "segments": count,
                "start": start_us, "end": end_us,
            }  # fmt: skip
            _tell(options, told, f"{_time(start_us)}  {_time(end_us)}  {count:8}  {size:15}  {camera}  {folder}")
    return 0


def _du(root: Path, options: argparse.Namespace) -> int:
    with copied_index(root) as index:
        rows = index.query(
            "SELECT uid, folder, date(start_us / 1000000, 'unixepoch') AS day, sum(segment.bytes), count(*) "
            "FROM segment JOIN camera ON camera.id = segment.camera GROUP BY camera.id, day ORDER BY folder, day"
        )
    for camera, folder, day, size, count in rows:
        told = {"camera": camera, "folder": folder, "day": day, "bytes": size, "segments": count}
        _tell(options, told, f"{size:15}  {count:6}  {day}  {folder}")
    if not options.json:
        _print(f"{sum(row[3] for row in rows):15}  {sum(row[4] for row in rows):6}  in all")
    return 0


def _time(us: int | None) -> str:
    return "-" * 20 if us is None else f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _tell(options: argparse.Namespace, told: dict[str, object], line: str) -> None:
    _print(json.dumps(told) if options.json else line)


def _print(line: str) -> None:
    # Names may hold what the terminal's encoding has not.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _keeping_rate(rate: float) -> Callable[[int], None]:
    """Waits after each piece so that no more than `rate` bytes a second are read; 0 is as fast as it goes."""

    def wait(size: int) -> None:
        if rate > 0:
            time.sleep(size / rate)

    return wait


class _Bar:
    """What is done of how much, on a terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = sys.stderr.isatty()
        self._drawn = 0.0

    def draw(self, done: int, total: int) -> None:
        """Draw it, now and then."""
        now = time.monotonic()
        if self._shown and now - self._drawn >= _DRAW_S:
            self._drawn = now
            filled = round(_WIDTH * done / total) if total else 0
            bar = "#" * filled + "." * (_WIDTH - filled)
            sys.stderr.write(f"\r{self._name} [{bar}] {done:,} of {total:,} ")
            sys.stderr.flush()

    def clear(self) -> None:
        """Make room for a line."""
        if self._shown:
            with contextlib.suppress(OSError):
                sys.stderr.write("\r\x1b[K")
