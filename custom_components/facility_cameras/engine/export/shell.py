"""An export from a shell: the same work, without an engine or beside one that records.

It reads a copy of the index, so nothing is held back from retention: what is deleted meanwhile is named as gone. The same
command again goes on where it was left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import hashlib
import json
from pathlib import Path
import time
from typing import Any
from zoneinfo import ZoneInfo

from ..api_footage import ExportRequest
from ..archive.copied_index import copied_index
from ..archive.duty import WrittenDuties
from ..archive.index import Index
from ..archive.segment_file import SegmentFile
from ..archive.volume import MARKER
from ..build import build_id
from ..folder_name import folder_name
from ..lane import Job
from .names import export_name
from .plan import ExportError
from .work import Work


@dataclass(frozen=True, slots=True)
class _Copy:
    """An archive's folder with a copy of its index."""

    root: Path
    archive_id: str
    index: Index | None
    open_files: Mapping[int, SegmentFile] = field(default_factory=dict)
    duties: WrittenDuties = field(default_factory=WrittenDuties)


def export(
    root: Path,
    wanted: Sequence[str],
    start_us: int,
    end_us: int,
    folder: Path,
    *,
    zone: ZoneInfo,
    form: str,
    who: str,
    reason: str,
    progress: Callable[[int, int], None],
) -> Work:
    """Export [start_us, end_us) of these cameras (ids; none: all) below `folder`; returns what came of it. Raises
    ExportError, OSError, sqlite3.Error, and ValueError where the cameras are not of one facility.
    """
    with copied_index(root) as index:
        archive = _Copy(root, _marker(root), index)
        rows = index.query("SELECT uid, facility, folder FROM camera ORDER BY folder")
        cameras = [row for row in rows if not wanted or row[0] in wanted]
        if unknown := set(wanted) - {row[0] for row in cameras}:
            raise ValueError(f"no such camera: {', '.join(sorted(unknown))}")
        facilities = {facility for _, facility, _ in cameras}
        if len(facilities) != 1:
            raise ValueError("name cameras of one facility (list tells them)")
        (facility,) = facilities
        request: ExportRequest = {
            "cameras": [
                {"id": uid, "name": _plain(place.rpartition("/")[2], uid), "make": "", "model": ""}
                for uid, _, place in cameras
            ],
            "start": start_us,
            "end": end_us,
            "folder": str(folder),
            "form": form,
            "name": _plain(cameras[0][2].partition("/")[0], facility),
            "zone": zone.key,
            "who": who,
            "reason": reason,
            "product": "",
        }
        # The same command is the same export.
        mark = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:4]
        name = f"{export_name(folder_name(request['name'], facility), start_us, end_us, zone)}_{mark}"
        work = Work(
            mark,
            facility,
            request,
            name,
            build=build_id(),
            now_us=lambda: time.time_ns() // 1000,
            clock_offsets=dict,
        )
        job: Job[Any] = Job("export", facility, lambda _: None, quick=False, kept=True)
        while not work.step(archive, job, seconds=0.5):
            progress(work.bytes, work.all_bytes)
        work.tidy()
    return work


def _plain(folder: str, identity: str) -> str:
    """The readable part of a folder's name."""
    return folder.removesuffix(folder_name("", identity)).rstrip("-") or folder


def _marker(root: Path) -> str:
    """The id in the archive's marker. Raises ExportError."""
    try:
        return str(json.loads((root / MARKER).read_bytes())["id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError("archive_away") from error
