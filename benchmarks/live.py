"""Looking live: how soon the first picture is there, how late each one is, how long a still takes.

Cameras of 1080p25, 4 Mbit/s, H.264, a key picture every 2 s, through a running engine. (1) Seconds from asking for the
live view to the first decoded picture through the re-stream, opened as Home Assistant opens it, at moments spread over
the group of pictures. (2) How much later a picture is decoded through the re-stream than straight from the camera; the
pictures carry numbers. (3) Milliseconds for a still of full size that was not made before, over the engine's API.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
import json
from pathlib import Path
import statistics
import tempfile
import threading
import time

import av
import numpy as np

from simulator import barcode

from .engine_process import EngineProcess, Simulator

GROUP_S = 2.0
CLIP_S = 8
FPS = 25
#: As Home Assistant's stream component opens an RTSP source.
OPTIONS = {"rtsp_flags": "prefer_tcp", "timeout": "5000000"}
ONLINE_S = 30.0


def p95(values: list[float]) -> float:
    """The 95th percentile, of the measured values themselves where they are few."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def first_frame_s(url: str) -> float:
    """Seconds from now to the first decoded picture."""
    began = time.perf_counter()
    with av.open(url, "r", options=OPTIONS, timeout=30) as container:
        next(container.decode(video=0))
        return time.perf_counter() - began


def seen(url: str, begin: threading.Barrier, seconds: float) -> list[tuple[int, float]]:
    """Number and time of decoding of every picture for `seconds`, once all are connected."""
    numbers: list[tuple[int, float]] = []
    with av.open(url, "r", options=OPTIONS, timeout=30) as container:
        frames = container.decode(video=0)
        next(frames)
        begin.wait(30)
        # What was buffered comes in a burst, and is no news.
        until = time.perf_counter() + GROUP_S + seconds
        for frame in frames:
            now = time.perf_counter()
            if now > until:
                break
            if now > until - seconds:
                grey = frame.reformat(format="gray").to_ndarray().astype(np.uint8, copy=False)
                numbers.append((barcode.read(grey), now))
    return numbers


def delays_s(direct: str, restreamed: str, seconds: float) -> list[float]:
    """How much later each picture is through the re-stream than straight from the camera."""
    begin = threading.Barrier(2)
    with ThreadPoolExecutor(2) as both:
        straight = both.submit(seen, direct, begin, seconds)
        through = both.submit(seen, restreamed, begin, seconds)
        first, second = straight.result(), through.result()
    found = []
    for number, at in second:
        # The clip is a loop: the same number comes again after CLIP_S.
        near = [at - other for again, other in first if again == number and abs(at - other) < CLIP_S / 2]
        if near:
            found.append(min(near, key=abs))
    if len(found) < len(second) / 2:
        raise RuntimeError("the pictures of both ways cannot be matched")
    return found


def stills_ms(engine: EngineProcess, camera: str, count: int) -> tuple[float, list[float]]:
    """Milliseconds of the first still (the decoder starts with it), and of others that are decoded one by one."""
    took = []
    for number in range(count + 1):
        began = time.perf_counter()
        # Another width each time: what was made before is not made again.
        jpeg = engine.call("GET", f"/v1/cameras/{camera}/still?width={1920 - 2 * number}")
        took.append((time.perf_counter() - began) * 1000)
        if not isinstance(jpeg, bytes) or not jpeg.startswith(b"\xff\xd8"):
            raise RuntimeError("the still is no JPEG")
    return took[0], took[1:]


def wait_online(engine: EngineProcess) -> None:
    """Wait until every camera is online and has a whole group of pictures behind it."""
    until = time.monotonic() + ONLINE_S
    while any(state["status"] != "online" for state in engine.call("GET", "/v1/cameras")["cameras"]):
        if time.monotonic() > until:
            raise RuntimeError("the cameras do not come online")
        time.sleep(0.1)
    time.sleep(2 * GROUP_S)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=0, help="how often the live view is opened (30; 10 with --quick)")
    parser.add_argument("--seconds", type=float, default=0, help="how long delay is measured (30; 8 with --quick)")
    parser.add_argument("--cameras", type=int, default=4, help="cameras that the engine records meanwhile (4)")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    tries = options.tries or (10 if options.quick else 30)
    seconds = options.seconds or (8.0 if options.quick else 30.0)
    arguments = ("--cameras", str(options.cameras), "--no-sub", "--scenes", "1", "--seconds", str(CLIP_S))
    with Simulator(*arguments) as simulator, tempfile.TemporaryDirectory(prefix="bench-live-") as folder:
        engine = EngineProcess(Path(folder))
        try:
            engine.record(simulator.cameras)
            wait_online(engine)
            camera = simulator.cameras[0]
            port = engine.call("GET", "/v1/info")["restream_port"]
            url = f"rtsp://viewer:bench@127.0.0.1:{port}/{camera['name']}"
            first = []
            for number in range(tries):
                # The golden section spreads the tries evenly over the group, whatever a try takes.
                time.sleep(number * 0.618 % 1 * GROUP_S)
                first.append(first_frame_s(url))
            delays = delays_s(str(camera["streams"][0]["url"]), url, seconds)
            still_first, stills = stills_ms(engine, camera["name"], tries)
        finally:
            engine.close()
    print(f"\n{options.cameras} cameras, 1080p25, 4 Mbit/s, H.264, a key picture every {GROUP_S:.0f} s")
    print(f"{'':52}{'median':>10}{'p95':>10}{'worst':>10}")
    for name, values, unit in (
        (f"first picture through the re-stream, {tries} tries", first, "s"),
        (f"later than straight from the camera, {len(delays)} pictures", delays, "s"),
        (f"still of full size, {tries} (the first took {still_first:.0f} ms)", stills, "ms"),
    ):
        digits = 3 if unit == "s" else 0
        row = "".join(f"{value:>10.{digits}f}" for value in (statistics.median(values), p95(values), max(values)))
        print(f"{name:52}{row} {unit}")
    print()
    print(
        json.dumps(
            {
                "first_frame_p95_s": round(p95(first), 3),
                "delay_p95_s": round(p95(delays), 3),
                "still_p95_ms": round(p95(stills), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
