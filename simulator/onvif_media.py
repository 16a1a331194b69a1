"""What a simulated camera's ONVIF media services answer: Media1 and Media2, one profile per stream."""

from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import urlsplit

from .onvif_quirks import OnvifHabits
from .soap import FaultError, Node
from .spec import CameraSpec, StreamSpec

SNAPSHOT_PATH = "/onvif/snapshot"
_SOURCE = "video_source_1"
_ABSURD = 2_147_483_647


class MediaService:
    """Answers as XML. `stream_url` is the true rtsp:// URL of a stream, `base` makes http URLs as the camera tells them."""

    def __init__(
        self,
        spec: CameraSpec,
        habits: OnvifHabits,
        base: Callable[[str], str],
        stream_url: Callable[[StreamSpec], str],
        http_port: int,
        password: str,
    ) -> None:
        """Everything that an answer depends on."""
        self._spec, self._habits, self._base, self._stream_url = spec, habits, base, stream_url
        self._http_port, self._password = http_port, password

    @property
    def operations1(self) -> Mapping[str, Callable[[Node], str]]:
        """What can be asked of Media1."""
        if 1 not in self._habits.media:
            return {}
        return {
            "GetProfiles": self._profiles1,
            "GetStreamUri": lambda request: self._uri("trt:GetStreamUri", self._told_url(self._stream(request)), 1),
            "GetSnapshotUri": lambda request: self._uri("trt:GetSnapshotUri", self._snapshot(request), 1),
            "GetVideoSources": self._sources1,
            "GetServiceCapabilities": self._capabilities1,
        }

    @property
    def operations2(self) -> Mapping[str, Callable[[Node], str]]:
        """What can be asked of Media2."""
        if 2 not in self._habits.media:
            return {}
        return {
            "GetProfiles": self._profiles2,
            "GetStreamUri": lambda request: self._uri("tr2:GetStreamUri", self._told_url(self._stream(request)), 2),
            "GetSnapshotUri": lambda request: self._uri("tr2:GetSnapshotUri", self._snapshot(request), 2),
        }

    def _profiles1(self, _: Node) -> str:
        profiles = "".join(
            f'<trt:Profiles token="{token_of(stream)}" fixed="true"><tt:Name>{escape(stream.name)}</tt:Name>'
            f'<tt:VideoSourceConfiguration token="source_{token_of(stream)}">{self._source(stream)}'
            f"</tt:VideoSourceConfiguration>{self._encoder1(stream)}{_audio1(stream)}</trt:Profiles>"
            for stream in self._spec.streams
        )
        return f"<trt:GetProfilesResponse>{profiles}</trt:GetProfilesResponse>"

    def _profiles2(self, _: Node) -> str:
        profiles = "".join(
            f'<tr2:Profiles token="{token_of(stream)}" fixed="true"><tr2:Name>{escape(stream.name)}</tr2:Name>'
            f'<tr2:Configurations><tr2:VideoSource token="source_{token_of(stream)}">{self._source(stream)}'
            f'</tr2:VideoSource><tr2:VideoEncoder token="encoder_{token_of(stream)}" GovLength="{stream.video.gop}">'
            f"<tt:Name>encoder</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>{stream.video.codec.upper()}"
            f'</tt:Encoding>{self._resolution(stream)}<tt:RateControl ConstantBitRate="false">'
            f"{self._rate(stream)}</tt:RateControl><tt:Quality>4</tt:Quality></tr2:VideoEncoder>{_audio2(stream)}"
            "</tr2:Configurations></tr2:Profiles>"
            for stream in self._spec.streams
        )
        return f"<tr2:GetProfilesResponse>{profiles}</tr2:GetProfilesResponse>"

    def _sources1(self, _: Node) -> str:
        video = self._spec.streams[0].video
        return (
            f'<trt:GetVideoSourcesResponse><trt:VideoSources token="{_SOURCE}"><tt:Framerate>{video.fps}</tt:Framerate>'
            f"<tt:Resolution><tt:Width>{video.width}</tt:Width><tt:Height>{video.height}</tt:Height></tt:Resolution>"
            "</trt:VideoSources></trt:GetVideoSourcesResponse>"
        )

    def _capabilities1(self, _: Node) -> str:
        return (
            "<trt:GetServiceCapabilitiesResponse>"
            f'<trt:Capabilities SnapshotUri="{str(self._habits.snapshot).lower()}" Rotation="false">'
            '<trt:ProfileCapabilities MaximumNumberOfProfiles="8"/>'
            '<trt:StreamingCapabilities RTPMulticast="false" RTP_TCP="true" RTP_RTSP_TCP="true"/>'
            "</trt:Capabilities></trt:GetServiceCapabilitiesResponse>"
        )

    def _stream(self, request: Node) -> StreamSpec:
        token = request.text_at("ProfileToken")
        for stream in self._spec.streams:
            if token_of(stream) == token:
                return stream
        raise FaultError("NoProfile", "the requested profile token does not exist")

    def _snapshot(self, request: Node) -> str:
        if not self._habits.snapshot:
            raise FaultError("ActionNotSupported", "Optional Action Not Implemented")
        return f"{self._base(SNAPSHOT_PATH)}?profile={token_of(self._stream(request))}"

    def _told_url(self, stream: StreamSpec) -> str:
        """The stream's URL as the camera tells it (CAMERAS.md O7, O8)."""
        url = self._stream_url(stream)
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        netlocs = {
            "inner": f"192.168.1.64:{port}",
            "loopback": f"127.0.1.1:{port}",
            "no_port": f"{host}",
            "http_port": f"{host}:{self._http_port}",
            "doubled": f"{host}:80:{port}",
            "login": f"{self._spec.username}:{self._password}@{host}:{port}",
        }
        netloc = netlocs.get(self._habits.stream, parts.netloc)
        return f"rtsp://{netloc}{parts.path}{f'?{parts.query}' if parts.query else ''}"

    def _uri(self, operation: str, url: str, version: int) -> str:
        # A URL with two parameters, its "&" as it is: what careless firmware writes.
        told = f"{url}?unicast=true&proto=Onvif" if self._habits.stream == "ampersand" else escape(url)
        if version == 2:
            return f"<{operation}Response><tr2:Uri>{told}</tr2:Uri></{operation}Response>"
        return (
            f"<{operation}Response><trt:MediaUri><tt:Uri>{told}</tt:Uri>"
            "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot>"
            f"<tt:Timeout>PT0S</tt:Timeout></trt:MediaUri></{operation}Response>"
        )

    def _source(self, stream: StreamSpec) -> str:
        video = stream.video
        return (
            f"<tt:Name>source</tt:Name><tt:UseCount>1</tt:UseCount><tt:SourceToken>{_SOURCE}</tt:SourceToken>"
            f'<tt:Bounds x="0" y="0" width="{video.width}" height="{video.height}"/>'
        )

    def _encoder1(self, stream: StreamSpec) -> str:
        if stream.video.codec == "h265" and self._habits.media1_h265 == "hidden":
            return ""
        return (
            f'<tt:VideoEncoderConfiguration token="encoder_{token_of(stream)}"><tt:Name>encoder</tt:Name>'
            f"<tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding>{self._resolution(stream)}"
            f"<tt:Quality>4</tt:Quality><tt:RateControl>{self._rate(stream)}</tt:RateControl>"
            f"<tt:H264><tt:GovLength>{stream.video.gop}</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264>"
            f"{_MULTICAST}<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration>"
        )

    def _resolution(self, stream: StreamSpec) -> str:
        width, height = (0, 0) if self._habits.absurd_numbers else (stream.video.width, stream.video.height)
        return f"<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"

    def _rate(self, stream: StreamSpec) -> str:
        fps, kbps = (0, _ABSURD) if self._habits.absurd_numbers else (stream.video.fps, stream.video.kbps)
        return (
            f"<tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>"
            f"<tt:BitrateLimit>{kbps}</tt:BitrateLimit>"
        )


def token_of(stream: StreamSpec) -> str:
    """The profile's token."""
    return f"profile_{escape(stream.name)}"


def _audio1(stream: StreamSpec) -> str:
    if stream.audio is None:
        return ""
    return (
        f'<tt:AudioEncoderConfiguration token="audio_{token_of(stream)}"><tt:Name>audio</tt:Name>'
        f"<tt:UseCount>1</tt:UseCount><tt:Encoding>{'AAC' if stream.audio == 'aac' else 'G711'}</tt:Encoding>"
        f"<tt:Bitrate>64</tt:Bitrate><tt:SampleRate>16</tt:SampleRate>{_MULTICAST}"
        "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:AudioEncoderConfiguration>"
    )


def _audio2(stream: StreamSpec) -> str:
    if stream.audio is None:
        return ""
    encoding = {"aac": "MP4A-LATM", "pcma": "PCMA", "pcmu": "PCMU"}[stream.audio]
    return (
        f'<tr2:AudioEncoder token="audio_{token_of(stream)}"><tt:Name>audio</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>{encoding}</tt:Encoding><tt:Bitrate>64</tt:Bitrate><tt:SampleRate>16</tt:SampleRate>"
        "</tr2:AudioEncoder>"
    )


_MULTICAST = (
    "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>"
    "<tt:Port>0</tt:Port><tt:TTL>0</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
)
