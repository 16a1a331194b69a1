"""Footage of days ago, as an engine that ran then would have left it: put into the archive before the engine starts."""

from datetime import datetime, timedelta
import hashlib
import io
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import numpy as np
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import Closing, Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.playback import Fragment
from tests.hub.stage import camera_id

SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")
#: Midnight three days ago, as the facility's clocks showed it.
DAY = datetime.now(SAIGON).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)


def at(hour: int, minute: int = 0, second: int = 0, days: int = 0) -> datetime:
    return DAY + timedelta(days=days, hours=hour, minutes=minute, seconds=second)


#: Each file lasts so long, seconds.
FILE_S = 60


def put_footage(entry: MockConfigEntry, title: str, *pieces: tuple[datetime, datetime], codec: str = "h264") -> None:
    """Footage of a camera from one time to another, whole minutes each. Blocks."""
    root = Path(entry.data["archive"])
    camera = camera_id(entry, title)
    init, media = _encoded(codec)
    index = Index(root / INDEX)
    try:
        folder = index.camera_folder(camera, entry.entry_id, f"f/{title}")
        for start, end in pieces:
            for at in range(int(start.timestamp()), int(end.timestamp()), FILE_S):
                path = root / folder / "past" / f"{at}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(init + media)
                number = index.open_segment(camera, f"run{start:%d%H%M}", codec, init, at * 1_000_000, f"past/{at}.mp4")
                fragments = pack_fragments([Fragment(len(media), FILE_S * 1_000_000, key=True)])
                digest = hashlib.sha256(init + media).digest()
                index.close_segment(
                    number,
                    Closing(at * 1_000_000, (at + FILE_S) * 1_000_000, len(init + media), FILE_S, digest, fragments),
                )
    finally:
        index.close()


def _encoded(codec: str) -> tuple[bytes, bytes]:
    """A minute of one picture a second: what stands before the first fragment, and the fragment."""
    out = io.BytesIO()
    with av.open(out, "w", "mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}) as container:
        stream = container.add_stream("libx265" if codec == "h265" else "libx264", 1, options={"g": "600", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(FILE_S):
            picture = np.full((64, 64, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    data = out.getvalue()
    cut = data.index(b"moof") - 4
    return data[:cut], data[cut : data.index(b"mfra") - 4]
