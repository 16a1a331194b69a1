"""How a camera's RTSP service behaves. The default is a decent camera; every other value is somebody's quirk."""

from dataclasses import dataclass, field
from typing import Literal

from .packets import Style

#: What an ordinary camera lists in its answer to OPTIONS.
METHODS = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN")


@dataclass(frozen=True, slots=True)
class Habit:
    """A fault that a camera commits by itself, first after `every` seconds of life, then again and again."""

    fault: str
    every: float
    seconds: float | None = None
    settings: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One field per way in which cameras differ. Times in seconds."""

    # Dialogue.
    #: Content-Base: with a final slash, without, absent, only a path, or naming a host of the camera's inner network.
    base: Literal["slash", "bare", "none", "path", "inner"] = "slash"
    #: a=control of a track: a word, a whole URL, a whole URL of the inner network, or none.
    control: Literal["relative", "absolute", "inner", "none"] = "relative"
    #: All challenges in one WWW-Authenticate header, joined by commas.
    joined_challenges: bool = False
    qop: bool = True
    #: The challenge is written carelessly: blanks, quotes and brackets where none belong, no algorithm.
    sloppy_challenge: bool = False
    #: 401 for requests without User-Agent.
    needs_agent: bool = False
    nonce_seconds: float = 3600
    methods: tuple[str, ...] = METHODS
    #: What GET_PARAMETER and SET_PARAMETER do: 200, 501, no answer at all, or the connection is closed.
    parameter: Literal["ok", "refused", "ignored", "fatal"] = "ok"
    #: Requests that keep a session alive.
    keepalive: frozenset[str] = frozenset(METHODS)
    #: Follows the session's id; "" means that no time-out is told.
    timeout_text: str = ";timeout={timeout}"
    #: Another time-out, told and kept from PLAY on.
    play_timeout: int | None = None
    transports: tuple[Literal["tcp", "udp"], ...] = ("tcp", "udp")
    #: The old session lives on after its connection ended and its packets go to the next connection.
    haunted: bool = False
    teardown: Literal["ok", "hangs"] = "ok"
    over_limit: Literal["453", "503", "close"] = "453"
    #: Answer to SETUP of audio.
    audio_setup: int = 200
    #: No media until every track is set up.
    all_tracks: bool = False
    #: DESCRIBE of a path is answered by a redirect to "moved/" and the path.
    redirect: bool = False
    #: Status line without its reason; header names in lower case; blanks around header values; no CSeq in answers.
    terse_status: bool = False
    lower_case: bool = False
    padded: bool = False
    no_cseq: bool = False
    #: The answer to a later SETUP names another session.
    changing_session: bool = False
    #: The camera sends requests of its own and loose line ends.
    asks: bool = False
    #: DESCRIBE is never answered: no camera at this channel.
    describe_hangs: bool = False
    #: Headers of the answer to DESCRIBE: all, without Content-Type, or without Content-Length.
    describe_headers: Literal["all", "no_type", "no_length"] = "all"
    #: The source told in the answer to SETUP: right, another, not a number, or none.
    ssrc: Literal["good", "wrong", "odd", "none"] = "good"
    #: Interleaved channels in the answer to SETUP are those asked for plus this.
    channel_shift: int = 0
    rtp_info: Literal["good", "none", "wrong"] = "good"
    #: The first media is sent before the answer to PLAY.
    early_media: bool = False
    #: The connection is closed at this age.
    most_age: float | None = None
    #: A session ends without a receiver report for so long.
    needs_reports: float | None = None

    # Description.
    sprop: Literal["full", "none", "empty", "stale", "annexb"] = "full"
    #: bare: nothing but the media; cut: what cheap makers forget is missing.
    sdp: Literal["full", "bare", "cut"] = "full"
    odd_media: bool = False
    aac: Literal["full", "short", "none"] = "full"
    line_end: str = "\r\n"

    # Media.
    #: A new session begins with the next key picture, or at once in the middle of a group.
    join: Literal["key", "now"] = "key"
    reports: Literal["good", "none", "foreign"] = "good"
    #: Every second picture has the time of the one before.
    equal_times: bool = False
    #: Sequence numbers and times wrap some seconds after PLAY.
    near_wrap: bool = False
    style: Style = field(default_factory=Style)
    habits: tuple[Habit, ...] = ()
