"""What an export has no footage of, for people: a list for its page, in English and Vietnamese.

Reasons are told in the words of the timeline (translations/, `gap_…`); why each stretch is empty is decided in gaps.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from ..api import Duty
from ..api_footage import Gap, GapReason
from ..gaps import NOT_RECORDED
from .names import clock, local, plain

#: Something was there, and could not be exported.
MISSED = "missed"
#: Lines of one page; the manifest has all.
LISTED = 200

WORDS: Mapping[str, tuple[str, str]] = {
    GapReason.OFFLINE: ("camera offline", "camera mất kết nối"),
    GapReason.STARTING: ("starting", "đang khởi động"),
    GapReason.INTERRUPTED: ("stream interrupted", "luồng hình bị ngắt quãng"),
    GapReason.DOWN: ("engine not running", "bộ xử lý không chạy"),
    GapReason.VOLUME: ("disk not available", "ổ đĩa không dùng được"),
    GapReason.OVERLOAD: ("disk too slow", "ổ đĩa quá chậm"),
    GapReason.DELETED: ("deleted by retention", "đã xóa theo thời hạn lưu"),
    GapReason.LOST: ("file lost", "mất tệp"),
    MISSED: ("file could not be exported", "không xuất được tệp"),
    NOT_RECORDED: ("not known whether it was to be recorded", "không rõ có phải ghi hình hay không"),
    # No gaps: nothing was to be recorded.
    Duty.OFF: ("recording switched off", "đã tắt ghi hình"),
    Duty.IDLE: ("not its time to record", "ngoài giờ ghi hình"),
    Duty.CLOCK: ("clock set forward", "đồng hồ được chỉnh tiến"),
}
_HEADS = "Time without footage", "Thời gian không có hình"
_NONE = "none", "không có"
_MORE = "{count} more: see manifest.json", "còn {count} khoảng nữa: xem manifest.json"


def without_footage(found: Mapping[str, Sequence[Gap]], names: Mapping[str, str], zone: ZoneInfo) -> tuple[str, str]:
    """The list in English and in Vietnamese: by camera (id; `names` has what people call it), oldest first."""
    everything = [(camera, gap) for camera, gaps in found.items() for gap in gaps]
    return "\n".join(_list(0, everything, names, zone)), "\n".join(_list(1, everything, names, zone))


def _list(
    language: int, everything: Sequence[tuple[str, Gap]], names: Mapping[str, str], zone: ZoneInfo
) -> Iterator[str]:
    yield _HEADS[language]
    for camera, gap in everything[:LISTED]:
        start, end = (clock(local(moment, zone)) for moment in (gap["start"], gap["end"]))
        yield f"- {plain(names[camera])}: {start} – {end}: {WORDS[gap['reason']][language]}"
    if not everything:
        yield f"- {_NONE[language]}"
    if (more := len(everything) - LISTED) > 0:
        yield f"- {_MORE[language].format(count=more)}"
