"""manifest.json: who exported what, when and why, with every file, gap, deletion, hold, and everything that was missed.

Written file by file: one of 100,000 files must not hold up anybody.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import orjson

from ..api_footage import ExportCamera, ExportRequest, Gap, Missed
from ..archive.index import CLOSED, CLOSED_AFTER_CRASH, OPEN
from ..gaps import NOT_WANTED, Piece
from .copied import Copied
from .gap_words import MISSED
from .papers import iso
from .plan import Entry, Recorded, deletions, gaps, holds

FORMAT = "facility-cameras-export"
VERSION = 1
_CLOSED = {OPEN: "still being recorded", CLOSED: "by the engine", CLOSED_AFTER_CRASH: "after a crash"}


def every_gap(
    archive: Recorded, request: ExportRequest, done: Sequence[tuple[Entry, Copied]], planned_us: int
) -> dict[str, list[Gap]]:
    """What of the asked time is in no exported file, by camera. Raises ExportError."""
    exported: dict[str, list[tuple[int, int]]] = {camera["id"]: [] for camera in request["cameras"]}
    not_there: dict[str, list[Piece]] = {camera: [] for camera in exported}
    for entry, copied in done:
        if copied.sha256:
            exported[entry.camera].append((entry.start_us, entry.end_us))
        else:
            not_there[entry.camera].append((entry.start_us, entry.end_us, MISSED, copied.why))
    return {
        camera: gaps(archive, camera, spans, not_there[camera], request["start"], request["end"], planned_us)
        for camera, spans in exported.items()
    }


def is_gap(gap: Gap) -> bool:
    """Whether it was to be recorded, or nobody knows."""
    return gap["reason"] not in NOT_WANTED


def missed(done: Iterable[tuple[Entry, Copied]]) -> list[Missed]:
    """What is not exported as it was recorded."""
    return [
        {
            "camera": entry.camera,
            "start": entry.start_us,
            "end": entry.end_us,
            "file": entry.name,
            "why": copied.why,
        }
        for entry, copied in done
        if copied.why
    ]


def pieces(
    archive: Recorded,
    facility: str,
    request: ExportRequest,
    done: Sequence[tuple[Entry, Copied]],
    found: Mapping[str, Sequence[Gap]],
    *,
    clock_offsets: Mapping[str, float | None],
    build: str,
    began_us: int,
    ended_us: int,
) -> Iterator[bytes]:
    """The manifest, piece by piece. Raises ExportError."""
    zone = ZoneInfo(request["zone"])
    told = missed(done)
    without_footage = [
        ({"camera": camera, **gap, "start": iso(gap["start"], zone), "end": iso(gap["end"], zone)}, gap)
        for camera, several in found.items()
        for gap in several
    ]
    yield _head(
        {
            "format": FORMAT,
            "version": VERSION,
            "facility": {"id": facility, "name": request["name"]},
            "time_zone": zone.key,
            "exported": {
                "by": request["who"],
                "reason": request["reason"],
                "began": iso(began_us, zone),
                "ended": iso(ended_us, zone),
                "product": f"Facility Cameras {request['product']}".strip(),
                "build": build,
            },
            "asked": {"start": iso(request["start"], zone), "end": iso(request["end"], zone)},
            "everything_exported": not told,
            "cameras": [_camera(camera, done, clock_offsets.get(camera["id"])) for camera in request["cameras"]],
            "gaps": [one for one, gap in without_footage if is_gap(gap)],
            "not_to_be_recorded": [one for one, gap in without_footage if not is_gap(gap)],
            "missed": [{**one, "start": iso(one["start"], zone), "end": iso(one["end"], zone)} for one in told],
            "deletions": [
                {
                    "camera": camera,
                    "start": iso(start_us, zone),
                    "end": iso(end_us, zone),
                    "bytes": size,
                    "reason": reason,
                    "deleted": iso(at_us, zone),
                }
                for camera in found
                for start_us, end_us, size, reason, at_us in deletions(
                    archive, camera, request["start"], request["end"]
                )
            ],
            "holds": [
                {
                    "camera": camera,
                    "start": iso(start_us, zone),
                    "end": iso(end_us, zone),
                    "reason": reason,
                    "by": who,
                    "at": iso(at_us, zone),
                }
                for camera in found
                for start_us, end_us, reason, who, at_us in holds(archive, camera, request["start"], request["end"])
            ],
        }
    )
    between = b"\n    "
    for entry, copied in done:
        if copied.sha256:
            yield between + orjson.dumps(_file(entry, copied, request, zone))
            between = b",\n    "
    yield b"\n  ]\n}\n"


def _head(content: dict[str, object]) -> bytes:
    """Everything but the files, open for them."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).removesuffix(b"\n}") + b',\n  "files": ['


def _camera(
    camera: ExportCamera, done: Iterable[tuple[Entry, Copied]], clock_offset_s: float | None
) -> dict[str, object]:
    ours = [(entry, copied) for entry, copied in done if entry.camera == camera["id"] and copied.sha256]
    return {
        **camera,
        "files": len(ours),
        "bytes": sum(copied.size for _, copied in ours),
        # The camera's own clock minus the engine's, by which all times here are.
        "clock_offset_seconds": None if clock_offset_s is None else round(clock_offset_s, 3),
    }


def _file(entry: Entry, copied: Copied, request: ExportRequest, zone: ZoneInfo) -> dict[str, object]:
    return {
        "name": entry.name,
        "camera": entry.camera,
        "start": iso(entry.start_us, zone),
        "end": iso(entry.end_us, zone),
        "bytes": copied.size,
        "sha256": copied.sha256,
        # What was taken while it was recorded; null where it was not closed then.
        "sha256_recorded": entry.sha256 or None,
        "as_recorded": not copied.why,
        "codec": entry.codec,
        "frames": entry.pictures,
        "begins_before": entry.start_us < request["start"],
        "ends_after": entry.end_us > request["end"],
        "closed": _CLOSED.get(entry.state, "taken in"),
        "subtitles": copied.subtitles,
    }
