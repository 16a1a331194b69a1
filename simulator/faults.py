"""What can go wrong with a camera on command. Each fault takes effect before `begin` returns."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
import random
import time
from typing import TYPE_CHECKING

from .clip import Shot
from .scene import View
from .spec import Video

if TYPE_CHECKING:
    from .camera import Camera

type Settings = dict[str, float | str]


class FaultError(ValueError):
    """No such fault, or it cannot be had with these settings. The text is for people."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`end` None: momentary. `settings` are the defaults of what may be set. Of the faults of one `group` a camera has
    one at a time. `seconds`: it ends by itself after so long unless told otherwise.
    """

    summary: str
    begin: Callable[[Camera, Settings], Awaitable[None]]
    end: Callable[[Camera], Awaitable[None]] | None = None
    settings: Settings | None = None
    group: str = ""
    seconds: float | None = None


async def _gone(camera: Camera, _: Settings) -> None:
    camera.drop()
    for service in camera.services:
        await service.shut()


async def _back(camera: Camera) -> None:
    camera.answer()
    for service in camera.services:
        await service.open()


async def _silent(camera: Camera, _: Settings) -> None:
    camera.deafen()
    for service in camera.services:
        await service.deafen()


def _flag(name: str) -> tuple[Callable[[Camera, Settings], Awaitable[None]], Callable[[Camera], Awaitable[None]]]:
    async def begin(camera: Camera, _: Settings) -> None:
        setattr(camera.media, name, True)

    async def end(camera: Camera) -> None:
        setattr(camera.media, name, False)

    return begin, end


async def _loss(camera: Camera, settings: Settings) -> None:
    share = float(settings["share"])
    if not 0 < share <= 1:
        raise FaultError("share is the part of packets that is lost, above 0 and up to 1")
    camera.media.loss = share


async def _no_loss(camera: Camera) -> None:
    camera.media.loss = 0


async def _slow(camera: Camera, _: Settings) -> None:
    camera.slow = True


async def _fast(camera: Camera) -> None:
    camera.slow = False
    for connection in camera.connections:
        connection.undrip()


async def _leap(camera: Camera, settings: Settings) -> None:
    camera.media.leap += float(settings["by"])


async def _renumber(camera: Camera, _: Settings) -> None:
    for session in camera.sessions.values():
        for track in session.tracks.values():
            track.sequence = random.getrandbits(16)


async def _cut(camera: Camera, _: Settings) -> None:
    for connection in tuple(camera.connections):
        connection.abort()


async def _bye(camera: Camera, _: Settings) -> None:
    for session in camera.sessions.values():
        for track in session.tracks.values():
            track.bye()
    camera.media.stalled = True


async def _unstalled(camera: Camera) -> None:
    camera.media.stalled = False


async def _busy(camera: Camera, _: Settings) -> None:
    camera.busy = True
    for session in tuple(camera.sessions.values()):
        camera.end_session(session)
    await _cut(camera, {})


async def _free(camera: Camera) -> None:
    camera.busy = False


async def _no_stream(camera: Camera, _: Settings) -> None:
    camera.hidden = True
    await _cut(camera, {})


async def _stream(camera: Camera) -> None:
    camera.hidden = False


async def _password(camera: Camera, settings: Settings) -> None:
    camera.guard.password = str(settings["password"])
    await _cut(camera, {})


async def _old_password(camera: Camera) -> None:
    camera.guard.password = camera.spec.password
    await _cut(camera, {})


def _view(view: View) -> Callable[[Camera, Settings], Awaitable[None]]:
    async def begin(camera: Camera, _: Settings) -> None:
        await _show(camera, view=view)

    return begin


async def _frozen(camera: Camera, _: Settings) -> None:
    await _show(camera, frozen=True)


async def _resized(camera: Camera, settings: Settings) -> None:
    first = next(iter(camera.streams.values()))
    width = int(settings["width"]) or first.spec.video.width * 2 // 3 & ~1
    height = int(settings["height"]) or first.spec.video.height * 2 // 3 & ~1
    await _show(camera, video=replace(first.spec.video, width=width, height=height))


async def _normal(camera: Camera) -> None:
    await _show(camera)


async def _show(camera: Camera, *, view: View = "normal", video: Video | None = None, frozen: bool = False) -> None:
    """Change what all streams show (the size, that of the first only) at their next key pictures; back when the first
    stream's has come.
    """
    async with camera.changing:
        first = next(iter(camera.streams.values()))
        begins: list[int] = []
        for stream in camera.streams.values():
            coding = video if video is not None and stream is first else stream.spec.video
            margin = 0.0
            while True:
                asked = time.monotonic()
                at = stream.next_key(camera.seconds() + margin)
                shot = Shot(camera.spec.scene, coding, view, at % coding.frames if frozen else None)
                reel = await stream.prepare(shot)
                if at >= stream.timelines[0].due(camera.seconds()):
                    break
                # Encoding took longer than the group lasted: aim further ahead.
                margin = 1.5 * (time.monotonic() - asked)
            stream.switch(reel, shot, at)
            begins.append(at)
        await camera.until(first.timelines[0].seconds(begins[0]))


#: Every fault by name.
FAULTS: dict[str, Fault] = {
    "gone": Fault("no power: the port is closed, connections are refused", _gone, _back, group="reach"),
    "reboot": Fault("away for some seconds (5), then back", _gone, _back, group="reach", seconds=5),
    "silent": Fault("cable out: nothing is answered or sent, nothing is closed", _silent, _back, group="reach"),
    "stalled": Fault("sessions are open and answered, no media comes", *_flag("stalled"), group="flow"),
    "held": Fault("media are held back and come in a burst at the end (20 s at most)", *_flag("held"), group="flow"),
    "bye": Fault("an RTCP BYE, then no media; the session stays open", _bye, _unstalled, group="flow"),
    "slow": Fault("one byte a second and connection", _slow, _fast),
    "garbage": Fault("rubbish between the packets (TCP)", *_flag("garbage")),
    "loss": Fault("packets are lost", _loss, _no_loss, {"share": 0.02}),
    "leap": Fault("RTP time leaps by so many seconds", _leap, None, {"by": 300}),
    "renumber": Fault("sequence numbers begin anew", _renumber),
    "cut": Fault("every connection is closed, new ones are taken", _cut),
    "busy": Fault("no session is left: nobody may set up a new one", _busy, _free),
    "no_stream": Fault("404 for every path", _no_stream, _stream),
    "password": Fault("another password is right now", _password, _old_password, {"password": "Chang3d-it"}),
    "frozen": Fault("the same picture again and again", _frozen, _normal, group="picture"),
    "black": Fault("no light; the overlay remains", _view("black"), _normal, group="picture"),
    "covered": Fault("something before the lens; the overlay remains", _view("covered"), _normal, group="picture"),
    "moved": Fault("the camera looks elsewhere", _view("moved"), _normal, group="picture"),
    "resized": Fault(
        "the first stream has another size (two thirds)",
        _resized,
        _normal,
        {"width": 0, "height": 0},
        group="picture",
    ),
}


def fault(name: str, settings: Settings) -> tuple[Fault, Settings]:
    """The fault and all its settings. FaultError if there is none, or a setting that it does not have."""
    if name not in FAULTS:
        raise FaultError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    found = FAULTS[name]
    known = found.settings or {}
    for key in settings:
        if key not in known:
            raise FaultError(f"fault {name!r} has no setting {key!r}; it has {', '.join(known) or 'none'}")
    return found, known | settings
