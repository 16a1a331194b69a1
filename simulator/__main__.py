"""`python -m simulator` runs virtual cameras; `python -m simulator fault black camera-1` commands one that runs."""

import argparse
import asyncio
from dataclasses import replace
import http.client
import json
import os
from pathlib import Path
import signal
import stat
import sys
from typing import Any, cast
import urllib.parse

from .control import Control, describe
from .faults import FAULTS
from .quirks import summaries
from .site import BURST, Site
from .sitefile import ordinary, read
from .spec import AudioCodec, CameraSpec, SpecError, StreamSpec, Video, VideoCodec

#: Where commands look for the control service unless told.
_CONTROL = "http://127.0.0.1:8555"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--cameras", type=int, default=2, metavar="N", help="run N ordinary cameras (2)")
    parser.add_argument("--site", type=Path, metavar="FILE", help="run the cameras of a JSON file instead")
    parser.add_argument("--port", type=int, default=0, help="port of the control service (chosen by the system)")
    parser.add_argument("--rtsp-port", type=int, default=0, help="RTSP port of the first camera, others follow")
    parser.add_argument("--http-port", type=int, help="ONVIF port of the first camera, others follow; 0: chosen")
    parser.add_argument("--host", help="address the cameras listen on (127.0.0.1)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready; end when stdin closes")
    parser.add_argument("--codec", choices=("h264", "h265"), default="h264", help="main stream's codec (h264)")
    parser.add_argument("--size", default="1920x1080", help="main stream's size (1920x1080)")
    parser.add_argument("--fps", type=int, default=25, help="main stream's pictures a second (25)")
    parser.add_argument("--kbps", type=int, default=4000, help="main stream's bitrate (4000)")
    parser.add_argument("--gop", type=int, default=50, help="pictures from key picture to key picture (50)")
    parser.add_argument("--b-frames", type=int, default=0, help="B-frames between others (0)")
    parser.add_argument("--seconds", type=int, default=8, help="length of the clip played in a loop (8)")
    parser.add_argument("--audio", choices=("aac", "pcma", "pcmu"), help="audio of the main stream (none)")
    parser.add_argument("--no-sub", action="store_true", help="main stream only")
    parser.add_argument("--scenes", type=int, help="different pictures; fewer make many cameras quick to prepare")
    parser.add_argument("--quirk", action="append", default=[], metavar="ID", help="misbehave (see: quirks)")
    parser.add_argument("--burst-ms", type=int, default=round(BURST * 1000), help="send what is due so often (40)")
    commands = parser.add_subparsers(dest="command", title="commands to a simulator that runs")
    for name, text in (("fault", "begin a fault"), ("end", "end a fault")):
        command = commands.add_parser(name, help=text)
        command.add_argument("fault", choices=(*FAULTS, "all") if name == "end" else tuple(FAULTS))
        command.add_argument("camera", help='name, or "*" for all')
        if name == "fault":
            command.add_argument("--for", type=float, dest="lasting", metavar="SECONDS", help="end it by itself")
            command.add_argument("settings", nargs="*", metavar="KEY=VALUE")
        command.add_argument("--control", default=_CONTROL, help=f"address of the control service ({_CONTROL})")
    for name, text in (("list", "cameras and their addresses"), ("truth", "which faults were when")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--control", default=_CONTROL, help=f"address of the control service ({_CONTROL})")
    commands.add_parser("faults", help="what can go wrong")
    commands.add_parser("quirks", help="how makes misbehave")
    return parser


def _cameras(options: argparse.Namespace) -> list[CameraSpec]:
    """The cameras that the command line asks for. SpecError says what is wrong with them."""
    if options.site is not None:
        cameras = read(options.site)
    else:
        width, _, height = options.size.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise SpecError(f"--size is like 1920x1080, not {options.size!r}")
        video = Video(
            codec=cast("VideoCodec", options.codec),
            width=int(width),
            height=int(height),
            fps=options.fps,
            kbps=options.kbps,
            gop=options.gop,
            b_frames=options.b_frames,
            seconds=options.seconds,
        )
        streams = [StreamSpec(video=video, audio=cast("AudioCodec | None", options.audio))]
        if not options.no_sub:
            sub = Video(width=640, height=360, fps=10, kbps=384, gop=20)
            streams.append(StreamSpec(name="sub", path="sub", video=sub))
        count = max(1, options.cameras)
        cameras = ordinary(count, tuple(streams), scenes=max(1, options.scenes or count))
    placed = []
    for number, camera in enumerate(cameras):
        if options.rtsp_port:
            camera = replace(camera, rtsp_port=options.rtsp_port + number)
        if options.http_port is not None:
            camera = replace(camera, http_port=options.http_port and options.http_port + number)
        placed.append(replace(camera, host=options.host or camera.host, quirks=(*camera.quirks, *options.quirk)))
    return placed


async def _run(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if options.json:
        mode = os.fstat(sys.stdin.fileno()).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            await loop.connect_read_pipe(lambda: _UntilClosed(ended), sys.stdin)
    site = Site(_cameras(options), burst=options.burst_ms / 1000)
    if not options.json:
        _say("Preparing the pictures (the first time takes a while) …")
    async with site:
        control = Control(site, port=options.port)
        await control.start()
        cameras = [describe(camera) for camera in site.cameras.values()]
        if options.json:
            _say(json.dumps({"control": control.url, "cameras": cameras}))
        else:
            for camera in cameras:
                _say(f"{camera['name']}: {', '.join(stream['url'] for stream in camera['streams'])}")
            _say(f"Control: {control.url}   End with Ctrl-C.")
        await ended.wait()
        await control.close()


class _UntilClosed(asyncio.Protocol):
    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, _exc: Exception | None, /) -> None:
        self._ended.set()


def _call(options: argparse.Namespace, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the control service. SystemExit with a sentence if it cannot be reached or refuses."""
    address = urllib.parse.urlsplit(options.control)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=60)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    except OSError as error:
        raise SystemExit(
            f"no simulator answers at {options.control}: start one with --port, or give --control"
        ) from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise SystemExit(text.decode("utf-8", "replace").strip())
    return json.loads(text)


def _command(options: argparse.Namespace) -> None:
    match options.command:
        case "faults":
            for name, fault in FAULTS.items():
                settings = "".join(f" [{key}={value}]" for key, value in (fault.settings or {}).items())
                _say(f"{name:10} {fault.summary}{settings}")
        case "quirks":
            for name, summary in summaries().items():
                _say(f"{name:21} {summary}")
        case "list":
            _say(json.dumps(_call(options, "GET", "/cameras"), indent=2, ensure_ascii=False))
        case "truth":
            _say(json.dumps(_call(options, "GET", "/truth"), indent=2, ensure_ascii=False))
        case "fault":
            body: dict[str, Any] = {}
            for setting in options.settings:
                key, _, value = setting.partition("=")
                body[key] = value
            if options.lasting is not None:
                body["seconds"] = options.lasting
            camera = urllib.parse.quote(options.camera, safe="*")
            _call(options, "POST", f"/cameras/{camera}/faults/{options.fault}", body)
            _say(f"{options.camera}: {options.fault}")
        case "end":
            camera = urllib.parse.quote(options.camera, safe="*")
            path = f"/cameras/{camera}/faults" + ("" if options.fault == "all" else f"/{options.fault}")
            _call(options, "DELETE", path)
            _say(f"{options.camera}: {options.fault} ended")


def main() -> None:
    """Run cameras, or command those that run."""
    options = _parser().parse_args()
    if options.command:
        _command(options)
        return
    try:
        asyncio.run(_run(options))
    except (SpecError, OSError) as error:
        raise SystemExit(f"simulator: {error}") from error


if __name__ == "__main__":
    main()
