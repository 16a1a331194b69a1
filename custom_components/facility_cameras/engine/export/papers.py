"""What lies beside exported video: the time of each second (WebVTT), checksums, and a page that says what to do with it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from .names import US, clock, local, plain

README = "README.txt"
SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"

_PAGE = """\
FOOTAGE OF {name}
=================
From {start} to {end} ({zone}).

What is here
- A folder for each camera, with its video as MP4 files, exactly as recorded: nothing was converted or cut.
- Beside each MP4 a .vtt file of the same name: subtitles with the time of every second, in the facility's time zone.
- manifest.json: who exported this, when and why, what each file holds, every gap, and what could not be exported.
- SHA256SUMS: a checksum of every file.

How to check that nothing was changed
- Linux, macOS: open a terminal in this folder and run   sha256sum -c SHA256SUMS   (macOS: shasum -a 256 -c SHA256SUMS)
- Windows: compare the output of   certutil -hashfile FILE SHA256   with the line of the file in SHA256SUMS.
Every line has to say OK. To show later that SHA256SUMS itself was not changed, note its own checksum when it is handed over.

How to play it
- VLC, mpv and most other players open the MP4 files; switch subtitles on to see the time.
- A file may begin some seconds before the time that was asked for, and end after it: files are handed over whole.

{without_footage}
{missed}

--------------------------------------------------------------------------------------------------------------

DỮ LIỆU GHI HÌNH CỦA {name}
===========================
Từ {start} đến {end} ({zone}).

Trong thư mục này có
- Mỗi camera một thư mục, chứa video dạng tệp MP4, đúng như đã ghi: không chuyển đổi, không cắt ghép.
- Bên cạnh mỗi tệp MP4 là tệp .vtt cùng tên: phụ đề hiển thị thời gian từng giây, theo múi giờ của cơ sở.
- manifest.json: ai xuất dữ liệu, lúc nào, vì sao, mỗi tệp chứa gì, mọi khoảng trống, và những gì không xuất được.
- SHA256SUMS: mã kiểm tra của từng tệp.

Cách kiểm tra dữ liệu không bị thay đổi
- Linux, macOS: mở cửa sổ dòng lệnh trong thư mục này và chạy   sha256sum -c SHA256SUMS   (macOS: shasum -a 256 -c SHA256SUMS)
- Windows: so sánh kết quả của   certutil -hashfile TỆP SHA256   với dòng của tệp đó trong SHA256SUMS.
Mọi dòng phải báo OK. Để sau này chứng minh chính SHA256SUMS không bị sửa, hãy ghi lại mã kiểm tra của nó khi bàn giao.

Cách xem
- VLC, mpv và hầu hết trình phát khác mở được các tệp MP4; bật phụ đề để thấy thời gian.
- Một tệp có thể bắt đầu trước thời điểm yêu cầu vài giây và kết thúc sau đó: các tệp được bàn giao nguyên vẹn.

{without_footage_vi}
{missed_vi}
"""
_MISSED = (
    '\nATTENTION: {count} files could not be exported as they were recorded. manifest.json names them under "missed".'
)
_MISSED_VI = '\nCHÚ Ý: {count} tệp không xuất được đúng như đã ghi. manifest.json liệt kê chúng ở mục "missed".'


def readme(
    name: str, start_us: int, end_us: int, zone: ZoneInfo, missed: int, without_footage: tuple[str, str]
) -> bytes:
    """The page, in English and Vietnamese, and so `without_footage` (gap_words.py)."""
    return _PAGE.format(
        name=plain(name),
        start=clock(local(start_us, zone)),
        end=clock(local(end_us, zone)),
        zone=zone.key,
        missed=_MISSED.format(count=missed) if missed else "",
        without_footage=without_footage[0],
        without_footage_vi=without_footage[1],
        missed_vi=_MISSED_VI.format(count=missed) if missed else "",
    ).encode()


def subtitles(start_us: int, end_us: int, media_us: int, zone: ZoneInfo) -> bytes:
    """The time of every second of a file that holds [start_us, end_us) and plays for `media_us`, as WebVTT. Times in it
    count from the file's first picture.
    """
    lines = ["WEBVTT", ""]
    span = max(end_us - start_us, 1)
    at = start_us
    while at < end_us:
        following = min(at - at % US + US, end_us)
        begin, end = ((moment - start_us) * media_us // span for moment in (at, following))
        if end // 1000 > begin // 1000:
            lines += [f"{_cue(begin)} --> {_cue(end)}", f"{clock(local(at, zone))} ({zone.key})", ""]
        at = following
    return "\n".join(lines).encode()


def _cue(us: int) -> str:
    seconds, rest = divmod(us // 1000, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{rest:03}"


def iso(us: int, zone: ZoneInfo) -> dict[str, str]:
    """A moment for the manifest: UTC, and as the zone's clocks show it."""
    moment = local(us, zone)
    utc = moment - (moment.utcoffset() or timedelta())
    return {
        "utc": f"{utc:%Y-%m-%dT%H:%M:%S.%f}Z",
        "local": moment.isoformat(timespec="microseconds"),
    }
