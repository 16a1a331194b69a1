"""Which media of a session description are received, and what takes their packets."""

from collections.abc import Callable

from ..api import Cause
from ..codec.aac import AacFrames, HeaderLengths, parse_config
from ..codec.h264 import H264Pictures
from ..codec.h265 import H265Pictures
from ..media import AudioFormat, Sample
from ..problem import CameraError
from .rtp import RtpTrack
from .sdp import Description, Media, Payload
from .url import RtspUrl

#: The video codecs that are received, by their names in session descriptions.
VIDEO: dict[str, type[H264Pictures | H265Pictures]] = {
    "h264": H264Pictures,
    "h265": H265Pictures,
    "hevc": H265Pictures,
}


def choose_video(description: Description, url: RtspUrl) -> tuple[Media, Payload]:
    """The first video medium with a codec we record. Raises CameraError if there is none."""
    seen = ""
    for media in description.media:
        if media.kind != "video":
            continue
        for payload in media.payloads:
            if payload.codec in VIDEO:
                return media, payload
            seen = seen or payload.codec or str(payload.number)
    if seen:
        raise CameraError(Cause.CODEC_UNSUPPORTED, host=url.host, codec=seen.upper())
    raise CameraError(Cause.NO_VIDEO, host=url.host)


def audio_track(media: Media, on_frame: Callable[[Sample], None]) -> tuple[RtpTrack, AudioFormat] | None:
    """AAC that is described well enough (S11); anything else is dropped and never blocks the video (S13)."""
    if media.direction == "sendonly":
        return None
    for payload in media.payloads:
        if payload.codec != "mpeg4-generic":
            continue
        fields = payload.parameters
        try:
            audio = parse_config(bytes.fromhex(fields.get("config", "")))
            lengths = HeaderLengths(
                int(fields.get("sizelength") or 13),
                int(fields.get("indexlength") or 3),
                int(fields.get("indexdeltalength") or 3),
            )
        except ValueError:
            continue
        if not (1 <= lengths.size <= 16 and 0 <= lengths.index <= 16 and 0 <= lengths.delta <= 16):
            continue
        return RtpTrack(AacFrames(on_frame, lengths), payload.number, audio.sample_rate), audio
    return None
