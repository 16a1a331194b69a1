"""Record cameras with PyAV, one thread each: `python -m benchmarks.record_pyav FOLDER URL…`, until SIGTERM."""

from pathlib import Path
import sys
import threading
import time

import av


def record(url: str, folder: Path, number: int) -> None:
    """Copy packets into fragmented MP4 files of a minute each."""
    source = av.open(url, options={"rtsp_transport": "tcp"})
    video = source.streams.video[0]
    output = None
    opened = 0.0
    for packet in source.demux(video):
        if packet.dts is None:
            continue
        now = time.monotonic()
        if packet.is_keyframe and (output is None or now - opened >= 60):
            if output is not None:
                output.close()
            options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
            output = av.open(str(folder / f"{number}-{now:.0f}.mp4"), "w", options=options)
            copied = output.add_stream_from_template(video)
            opened = now
        if output is not None:
            packet.stream = copied
            output.mux(packet)


if __name__ == "__main__":
    for position, address in enumerate(sys.argv[2:]):
        threading.Thread(target=record, args=(address, Path(sys.argv[1]), position), daemon=True).start()
    threading.Event().wait()
