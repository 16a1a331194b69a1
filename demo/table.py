"""What the demo prints about its cameras."""

from collections.abc import Mapping, Sequence
from typing import Any

from .set_up import Added

_HEAD = ("Facility", "Camera", "Codec", "Status", "Recorded", "First picture after")


def table(cameras: Sequence[Added], known: Mapping[str, Mapping[str, Any]]) -> str:
    """One line per camera; `known` is what the engine says of each."""
    rows = [_HEAD]
    for each in cameras:
        state = known.get(each.camera_id, {})
        first = state.get("first_picture_s")
        received = (state.get("format") or {}).get("video", each.camera.codec)
        rows.append(
            (
                each.camera.facility,
                each.camera.name,
                {"h264": "H.264", "h265": "H.265"}[received],
                str(state.get("status", "unknown")) + (", recording" if state.get("recording") else ""),
                f"{state.get('recorded_s', 0):.0f} s",
                "–" if first is None else f"{first:.1f} s",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(lines)
