"""The misbehaviour of real makes as profiles, by the ids of the project's catalogue of camera quirks.

A quirk that comes in several kinds has one profile each: "R14", "R14-fatal". A camera may have several quirks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .behaviour import METHODS, Behaviour, Habit
from .onvif_quirks import ONVIF_QUIRKS
from .spec import AudioCodec, CameraSpec, SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """What a quirk changes: fields of `Behaviour` and of its `Style`, and the camera itself."""

    summary: str
    behaviour: dict[str, Any] = field(default_factory=dict)
    style: dict[str, Any] = field(default_factory=dict)
    camera: Callable[[CameraSpec], CameraSpec] = lambda spec: spec
    habits: tuple[Habit, ...] = ()


def _audio(codec: AudioCodec) -> Callable[[CameraSpec], CameraSpec]:
    return lambda spec: replace(spec, streams=tuple(replace(stream, audio=codec) for stream in spec.streams))


def _query_paths(spec: CameraSpec) -> CameraSpec:
    paths = (f"cam/realmonitor?channel=1&subtype={number}" for number in range(len(spec.streams)))
    return replace(
        spec, streams=tuple(replace(stream, path=path) for stream, path in zip(spec.streams, paths, strict=True))
    )


def _b_frames(spec: CameraSpec) -> CameraSpec:
    return replace(
        spec, streams=tuple(replace(stream, video=replace(stream.video, b_frames=3)) for stream in spec.streams)
    )


def _long_groups(spec: CameraSpec) -> CameraSpec:
    streams = (
        replace(stream, video=replace(stream.video, gop=20 * stream.video.fps, seconds=20)) for stream in spec.streams
    )
    return replace(spec, streams=tuple(streams))


_NO_GET = tuple(method for method in METHODS if "PARAMETER" not in method)

QUIRKS: dict[str, Quirk] = {
    "R1": Quirk(summary="status line without reason", behaviour={"terse_status": True}),
    "R2": Quirk(summary="header names in lower case", behaviour={"lower_case": True}),
    "R3": Quirk(summary="answers without CSeq", behaviour={"no_cseq": True}),
    "R4": Quirk(summary="blanks around header values", behaviour={"padded": True}),
    "R5": Quirk(
        summary="relative control, Content-Base ends in a query string", behaviour={"base": "bare"}, camera=_query_paths
    ),
    "R6": Quirk(
        summary="control and Content-Base name an inner address", behaviour={"base": "inner", "control": "inner"}
    ),
    "R7": Quirk(summary="Content-Base is only a path", behaviour={"base": "path"}),
    "R8": Quirk(summary="controls are absolute URLs", behaviour={"control": "absolute"}),
    "R9": Quirk(
        summary="several challenges joined by commas",
        behaviour={"joined_challenges": True},
        camera=lambda spec: replace(spec, schemes=("basic", "md5", "sha-256")),
    ),
    "R9-basic": Quirk(summary="Basic only", camera=lambda spec: replace(spec, schemes=("basic",))),
    "R10": Quirk(summary="digest with SHA-256 only", camera=lambda spec: replace(spec, schemes=("sha-256",))),
    "R11": Quirk(summary="a carelessly written challenge", behaviour={"sloppy_challenge": True, "qop": False}),
    "R12": Quirk(summary="a nonce lasts 10 s", behaviour={"nonce_seconds": 10.0}),
    "R13": Quirk(summary="DESCRIBE is redirected", behaviour={"redirect": True}),
    "R14": Quirk(summary="GET_PARAMETER is listed but refused", behaviour={"parameter": "refused"}),
    "R14-fatal": Quirk(summary="GET_PARAMETER ends the connection", behaviour={"parameter": "fatal"}),
    "R14-only": Quirk(
        summary="only GET_PARAMETER keeps a session alive", behaviour={"keepalive": frozenset({"GET_PARAMETER"})}
    ),
    "R14-unlisted": Quirk(
        summary="GET_PARAMETER is neither listed nor known", behaviour={"methods": _NO_GET, "parameter": "refused"}
    ),
    "R15": Quirk(summary="GET_PARAMETER is never answered", behaviour={"parameter": "ignored"}),
    "R16": Quirk(
        summary="time-out with a blank, 20 s, 30 from PLAY on",
        behaviour={"timeout_text": "; timeout={timeout}", "play_timeout": 30},
        camera=lambda spec: replace(spec, session_timeout=20),
    ),
    "R16-absent": Quirk(summary="no time-out is told", behaviour={"timeout_text": ""}),
    "R17": Quirk(
        summary="the second SETUP names another session", behaviour={"changing_session": True}, camera=_audio("aac")
    ),
    "R18": Quirk(summary="media before the answer to PLAY", behaviour={"early_media": True}),
    "R19": Quirk(summary="other channels than asked for", behaviour={"channel_shift": 4}),
    "R20": Quirk(summary="UDP only", behaviour={"transports": ("udp",)}),
    "R21": Quirk(summary="Transport with an ssrc that is no number", behaviour={"ssrc": "odd"}),
    "R22": Quirk(summary="RTP-Info with nonsense", behaviour={"rtp_info": "wrong"}),
    "R22-none": Quirk(summary="no RTP-Info", behaviour={"rtp_info": "none"}),
    "R23": Quirk(
        summary="old sessions live on and haunt the next connection; TEARDOWN hangs",
        behaviour={"haunted": True, "teardown": "hangs"},
    ),
    "R24": Quirk(summary="two sessions, then 453", camera=lambda spec: replace(spec, max_sessions=2)),
    "R24-one": Quirk(
        summary="one session, then 503",
        behaviour={"over_limit": "503"},
        camera=lambda spec: replace(spec, max_sessions=1),
    ),
    "R24-close": Quirk(
        summary="one session, then the connection is closed",
        behaviour={"over_limit": "close"},
        camera=lambda spec: replace(spec, max_sessions=1),
    ),
    "R25": Quirk(summary="SETUP of audio fails", behaviour={"audio_setup": 500}, camera=_audio("aac")),
    "R25-all": Quirk(
        summary="no media until all tracks are set up", behaviour={"all_tracks": True}, camera=_audio("aac")
    ),
    "R27": Quirk(summary="401 for requests without User-Agent", behaviour={"needs_agent": True}),
    "R28": Quirk(summary="requests of its own and loose line ends", behaviour={"asks": True}),
    "R29": Quirk(summary="DESCRIBE without Content-Type", behaviour={"describe_headers": "no_type"}),
    "R29-length": Quirk(summary="DESCRIBE without Content-Length", behaviour={"describe_headers": "no_length"}),
    "S1": Quirk(summary="no sprop-parameter-sets", behaviour={"sprop": "none"}),
    "S1-empty": Quirk(summary="empty sprop-parameter-sets", behaviour={"sprop": "empty"}),
    "S2": Quirk(summary="sprop with start codes and zeros", behaviour={"sprop": "annexb"}),
    "S3": Quirk(summary="sprop differs from what is sent", behaviour={"sprop": "stale"}),
    "S6": Quirk(summary="SDP of three lines", behaviour={"sdp": "bare", "sprop": "none", "control": "none"}),
    "S6-cut": Quirk(summary="SDP without o= and t=, c= cut off", behaviour={"sdp": "cut"}),
    "S8": Quirk(summary="a vendor's own media lines", behaviour={"odd_media": True}),
    "S9": Quirk(summary="no control", behaviour={"control": "none"}),
    "S11": Quirk(summary="AAC described incompletely", behaviour={"aac": "short"}, camera=_audio("aac")),
    "S11-none": Quirk(summary="AAC without config", behaviour={"aac": "none"}, camera=_audio("aac")),
    "S13": Quirk(summary="audio is G.711 A-law", camera=_audio("pcma")),
    "S13-u": Quirk(summary="audio is G.711 µ-law", camera=_audio("pcmu")),
    "S16": Quirk(summary="lines of the SDP end in LF only", behaviour={"line_end": "\n"}),
    "P1": Quirk(summary="packets have another source than announced", behaviour={"ssrc": "wrong"}),
    "P2": Quirk(summary="sender reports of an unknown source", behaviour={"reports": "foreign"}),
    "P2-none": Quirk(summary="no sender reports", behaviour={"reports": "none"}),
    "P3": Quirk(summary="packets are missing now and then", habits=(Habit("loss", 20, 1, {"share": 0.2}),)),
    "P4": Quirk(summary="sequence numbers begin anew now and then", habits=(Habit("renumber", 10),)),
    "P5": Quirk(summary="rubbish between packets now and then", habits=(Habit("garbage", 10, 2),)),
    "P6": Quirk(summary="marker bit on parameter sets", style={"marker_on_sets": True, "aggregate": False}),
    "P6-time": Quirk(
        summary="parameter sets have the time of the picture before",
        style={"sets_with_previous_time": True, "aggregate": False},
    ),
    "P7": Quirk(summary="no marker bit", style={"marker": False}),
    "P8": Quirk(summary="RTP time leaps forward", habits=(Habit("leap", 20, None, {"by": 300}),)),
    "P8-back": Quirk(summary="RTP time leaps back", habits=(Habit("leap", 20, None, {"by": -300}),)),
    "P9": Quirk(summary="two pictures have one time", behaviour={"equal_times": True}),
    "P11": Quirk(summary="numbers and times wrap soon", behaviour={"near_wrap": True}),
    "P12": Quirk(summary="single fragments that start and end", style={"lone_fragments": True}),
    "P13": Quirk(summary="an Annex B byte stream in one payload", style={"annexb": True}),
    "P14": Quirk(summary="packets with source, extension and padding", style={"extras": True}),
    "P15": Quirk(summary="payload number 35", style={"video_type": 35}),
    "P16": Quirk(summary="packets of 10,000 bytes", style={"payload": 10_000}),
    "P17": Quirk(summary="BYE and silence now and then", habits=(Habit("bye", 60, 30),)),
    "P18": Quirk(summary="a session without receiver reports ends", behaviour={"needs_reports": 10.0}),
    "C1": Quirk(summary="parameter sets only in the SDP", style={"sets_in_band": False}),
    "C2": Quirk(summary="size changes while running", habits=(Habit("resized", 30, 15),)),
    "C3": Quirk(summary="groups of 20 s, joined in the middle", behaviour={"join": "now"}, camera=_long_groups),
    "C4": Quirk(summary="B-frames", camera=_b_frames),
    "C8": Quirk(summary="delimiter and SEI before each picture", style={"delimiters": True}),
    "B1": Quirk(summary="reboots by itself, away for 30 s", habits=(Habit("reboot", 600, 30),)),
    "B2": Quirk(summary="media stop, nothing is closed", habits=(Habit("stalled", 60, 30),)),
    "B2-frozen": Quirk(summary="the picture freezes", habits=(Habit("frozen", 60, 30),)),
    "B3": Quirk(summary="stalls of 3 s, then a burst", habits=(Habit("held", 15, 3),)),
    "B8": Quirk(summary="DESCRIBE is never answered", behaviour={"describe_hangs": True}),
    "B10": Quirk(summary="the site's power goes and comes back", habits=(Habit("reboot", 120, 10),)),
    "B11": Quirk(summary="the clock starts in 1970", camera=lambda spec: replace(spec, clock_offset=-1_700_000_000.0)),
    "B13": Quirk(summary="connections are closed at an age of 60 s", behaviour={"most_age": 60.0}),
}


def behaviour_of(spec: CameraSpec) -> Behaviour:
    """The behaviour that a camera's quirks make. SpecError for an unknown one."""
    behaviour = Behaviour()
    for name in spec.quirks:
        quirk = _quirk(name)
        style = replace(behaviour.style, **quirk.style)
        habits = behaviour.habits + quirk.habits
        behaviour = replace(behaviour, **quirk.behaviour, style=style, habits=habits)
    return behaviour


def refine(spec: CameraSpec) -> CameraSpec:
    """The camera as its quirks change it. SpecError for an unknown one."""
    for name in spec.quirks:
        spec = _quirk(name).camera(spec)
    return spec


def summaries() -> dict[str, str]:
    """What every quirk is, those of ONVIF too, by id."""
    return {name: quirk.summary for table in (QUIRKS, ONVIF_QUIRKS) for name, quirk in table.items()}


def _quirk(name: str) -> Quirk:
    if name in ONVIF_QUIRKS:
        # The ONVIF service sees to it.
        return Quirk(summary=ONVIF_QUIRKS[name].summary)
    if name not in QUIRKS:
        raise SpecError(f"there is no quirk {name!r}; `python -m simulator quirks` lists them")
    return QUIRKS[name]
