"""Footage of days ago, as an engine that ran then would have left it: put into the archive before the engine starts."""

from datetime import datetime, timedelta
import hashlib
from pathlib import Path
from zoneinfo import ZoneInfo

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import Closing, Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.fmp4 import Fragmenter, identity_box, init_segment
from custom_components.facility_cameras.engine.playback import Fragment
from custom_components.facility_cameras.footage_time import US
from tests.engine.clip_samples import make_clip
from tests.hub.stage import camera_id

SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")
#: Midnight three days ago, as the facility's clocks showed it.
DAY = datetime.now(SAIGON).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)


def at(hour: int, minute: int = 0, second: int = 0, days: int = 0) -> datetime:
    return DAY + timedelta(days=days, hours=hour, minutes=minute, seconds=second)


#: Each file lasts so long, seconds.
FILE_S = 60


def put_footage(entry: MockConfigEntry, title: str, *pieces: tuple[datetime, datetime], codec: str = "h264") -> None:
    """Footage of a camera from one time to another, whole minutes each, of one picture a second. Blocks."""
    root = Path(entry.data["archive"])
    camera = camera_id(entry, title)
    clip = make_clip(codec, frames=FILE_S, fps=1, gop=FILE_S, size=(64, 64))
    init = init_segment(clip.stream)
    index = Index(root / INDEX)
    try:
        folder = index.camera_folder(camera, entry.entry_id, f"f/{title}")
        for start, end in pieces:
            run, maker = f"run{start:%d%H%M}", Fragmenter()
            for at in range(int(start.timestamp()), int(end.timestamp()), FILE_S):
                made = maker.build(list(clip.samples), [], None, at * US)
                media = identity_box(camera, run) + b"".join(made.parts)
                path = root / folder / "past" / f"{at}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(init + media)
                number = index.open_segment(camera, run, codec, init, at * US, f"past/{at}.mp4")
                fragments = pack_fragments([Fragment(len(media), FILE_S * US, key=True)])
                digest = hashlib.sha256(init + media).digest()
                size = len(init + media)
                index.close_segment(number, Closing(at * US, (at + FILE_S) * US, size, FILE_S, digest, fragments))
    finally:
        index.close()
