"""What a viewer is told of a camera: SDP (RFC 8866) with everything a decoder needs, so that it can begin at once."""

from base64 import b64encode
from collections.abc import Iterable, Iterator

from ..feed import Feed
from ..media import AudioFormat, StreamFormat, VideoFormat
from .rtp_send import AUDIO_TYPE, VIDEO_TYPE

VIDEO = "video"
AUDIO = "audio"
#: A camera that announced sound and sent none in this time is described without: libav waits 5 s for sound.
_SILENT_S = 1.0


def describe(stream: StreamFormat) -> bytes:
    """The session description of what is received."""
    lines = [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=Facility Cameras",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        *_video(stream.video),
        *(_audio(stream.audio) if stream.audio else ()),
        "",
    ]
    return "\r\n".join(lines).encode()


def heard(feed: Feed, stream: StreamFormat) -> StreamFormat:
    """`stream`, without its sound if that is announced but not sent."""
    if stream.audio is None or not feed.group or any(sample.audio for sample in feed.group):
        return stream
    silent_s = feed.group[-1].received - feed.group[0].received
    return StreamFormat(stream.video) if silent_s > _SILENT_S else stream


def _video(video: VideoFormat) -> Iterator[str]:
    name = video.codec.upper()
    yield f"m=video 0 RTP/AVP {VIDEO_TYPE}"
    yield f"a=rtpmap:{VIDEO_TYPE} {name}/90000"
    if video.codec == "h264":
        level = video.sps[0][1:4].hex()
        sets = _base64((*video.sps, *video.pps))
        yield f"a=fmtp:{VIDEO_TYPE} packetization-mode=1;profile-level-id={level};sprop-parameter-sets={sets}"
    else:
        sets = f"sprop-vps={_base64(video.vps)};sprop-sps={_base64(video.sps)};sprop-pps={_base64(video.pps)}"
        yield f"a=fmtp:{VIDEO_TYPE} {sets}"
    yield f"a=control:{VIDEO}"


def _audio(audio: AudioFormat) -> Iterator[str]:
    yield f"m=audio 0 RTP/AVP {AUDIO_TYPE}"
    yield f"a=rtpmap:{AUDIO_TYPE} MPEG4-GENERIC/{audio.sample_rate}/{audio.channels}"
    yield (
        f"a=fmtp:{AUDIO_TYPE} streamtype=5;profile-level-id=1;mode=AAC-hbr;"
        f"sizelength=13;indexlength=3;indexdeltalength=3;config={audio.config.hex()}"
    )
    yield f"a=control:{AUDIO}"


def _base64(sets: Iterable[bytes]) -> str:
    return ",".join(b64encode(nal).decode() for nal in sets)
