"""What a simulated camera's ONVIF device service answers (device management, version 1)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from urllib.parse import quote

from .onvif_quirks import OnvifHabits
from .soap import FaultError, Node, namespace_of
from .spec import CameraSpec

#: Where the services are; the path tells nothing to the camera itself.
PATHS = {"tds": "/onvif/device_service", "trt": "/onvif/media_service", "tr2": "/onvif/media2_service"}
_EVENTS_PATH = "/onvif/event_service"
#: Answered to anybody, as the ONVIF core specification wants it.
OPEN = frozenset(("GetSystemDateAndTime", "GetServices", "GetServiceCapabilities", "GetCapabilities", "GetHostname"))
#: Viet Nam's.
_ZONE = timezone(timedelta(hours=7))


class DeviceService:
    """Answers as XML. `base` makes the URL of a path as the camera tells it, `now` is its clock."""

    def __init__(
        self,
        spec: CameraSpec,
        habits: OnvifHabits,
        base: Callable[[str], str],
        now: Callable[[], float],
        rtsp_port: int,
        http_port: int,
    ) -> None:
        """Everything that an answer depends on."""
        self._spec, self._habits, self._base, self._now = spec, habits, base, now
        self._rtsp_port, self._http_port = rtsp_port, http_port

    @property
    def operations(self) -> Mapping[str, Callable[[Node], str]]:
        """What can be asked."""
        return {
            "GetSystemDateAndTime": self._time,
            "GetDeviceInformation": self._information,
            "GetCapabilities": self._capabilities,
            "GetServices": self._services,
            "GetServiceCapabilities": self._service_capabilities,
            "GetNetworkInterfaces": self._network_interfaces,
            "GetNetworkProtocols": self._network_protocols,
            "GetScopes": self._scopes,
            "GetHostname": self._hostname,
        }

    def _time(self, _: Node) -> str:
        habits = self._habits
        if habits.time == "none":
            return "<tds:GetSystemDateAndTimeResponse/>"
        now = datetime.fromtimestamp(self._now(), UTC)
        local = _date_time("LocalDateTime", now.astimezone(_ZONE))
        parts = {"utc": _date_time("UTCDateTime", now) + local, "local": local, "invalid": _ZERO_TIME}
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>&lt;+07&gt;-7</tt:TZ></tt:TimeZone>"
            f"{parts[habits.time]}</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def _information(self, _: Node) -> str:
        spec = self._spec
        serial = spec.serial if self._habits.serial is None else self._habits.serial
        return (
            f"<tds:GetDeviceInformationResponse><tds:Manufacturer>{escape(spec.maker)}</tds:Manufacturer>"
            f"<tds:Model>{escape(spec.model)}</tds:Model><tds:FirmwareVersion>{escape(spec.firmware)}"
            f"</tds:FirmwareVersion><tds:SerialNumber>{escape(serial)}</tds:SerialNumber>"
            f"<tds:HardwareId>{escape(spec.model)}</tds:HardwareId></tds:GetDeviceInformationResponse>"
        )

    def _capabilities(self, _: Node) -> str:
        media = ""
        if 1 in self._habits.media:
            media = (
                f"<tt:Media><tt:XAddr>{self._url('trt')}</tt:XAddr><tt:StreamingCapabilities>"
                "<tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP>"
                "<tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>"
            )
        return (
            "<tds:GetCapabilitiesResponse><tds:Capabilities>"
            f"<tt:Device><tt:XAddr>{self._url('tds')}</tt:XAddr></tt:Device>"
            f"<tt:Events><tt:XAddr>{escape(self._base(_EVENTS_PATH))}</tt:XAddr>"
            "<tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport>"
            "<tt:WSPullPointSupport>false</tt:WSPullPointSupport>"
            "<tt:WSPausableSubscriptionManagerInterfaceSupport>false"
            f"</tt:WSPausableSubscriptionManagerInterfaceSupport></tt:Events>{media}"
            "</tds:Capabilities></tds:GetCapabilitiesResponse>"
        )

    def _services(self, _: Node) -> str:
        if not self._habits.get_services:
            raise FaultError("ActionNotSupported", "Optional Action Not Implemented")
        listed = [("tds", self._url("tds"), (2, 6)), ("tev", escape(self._base(_EVENTS_PATH)), (2, 6))]
        if 1 in self._habits.media:
            listed.append(("trt", self._url("trt"), (2, 6)))
        if 2 in self._habits.media:
            listed.append(("tr2", self._url("tr2"), (2, 0)))
        services = "".join(
            f"<tds:Service><tds:Namespace>{namespace_of(prefix)}</tds:Namespace><tds:XAddr>{url}</tds:XAddr>"
            f"<tds:Version><tt:Major>{major}</tt:Major><tt:Minor>{minor}</tt:Minor></tds:Version></tds:Service>"
            for prefix, url, (major, minor) in listed
        )
        return f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>"

    def _service_capabilities(self, _: Node) -> str:
        digest = str("digest" in self._habits.logins).lower()
        return (
            "<tds:GetServiceCapabilitiesResponse><tds:Capabilities><tds:Network/>"
            f'<tds:Security UsernameToken="{str("wsse" in self._habits.logins).lower()}" HttpDigest="{digest}"/>'
            "<tds:System/></tds:Capabilities></tds:GetServiceCapabilitiesResponse>"
        )

    def _network_interfaces(self, _: Node) -> str:
        if not self._habits.network_interfaces:
            raise FaultError("ActionNotSupported", "optional action not implemented")
        mac = self._spec.mac if self._habits.mac is None else self._habits.mac
        return (
            '<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled>'
            f"<tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>{escape(mac)}</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info>"
            "<tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config><tt:Manual>"
            f"<tt:Address>{self._spec.host}</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual>"
            "<tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4></tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>"
        )

    def _network_protocols(self, _: Node) -> str:
        protocols = "".join(
            f"<tds:NetworkProtocols><tt:Name>{name}</tt:Name><tt:Enabled>true</tt:Enabled><tt:Port>{port}</tt:Port>"
            "</tds:NetworkProtocols>"
            for name, port in (("HTTP", self._http_port), ("RTSP", self._rtsp_port))
        )
        return f"<tds:GetNetworkProtocolsResponse>{protocols}</tds:GetNetworkProtocolsResponse>"

    def _scopes(self, _: Node) -> str:
        name, model = quote(self._spec.name), quote(self._spec.model)
        items = ("type/video_encoder", "Profile/Streaming", f"hardware/{model}", f"name/{name}")
        scopes = "".join(
            "<tds:Scopes><tt:ScopeDef>Configurable</tt:ScopeDef>"
            f"<tt:ScopeItem>onvif://www.onvif.org/{item}</tt:ScopeItem></tds:Scopes>"
            for item in items
        )
        return f"<tds:GetScopesResponse>{scopes}</tds:GetScopesResponse>"

    def _hostname(self, _: Node) -> str:
        return (
            "<tds:GetHostnameResponse><tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP>"
            f"<tt:Name>{escape(self._spec.model)}</tt:Name></tds:HostnameInformation></tds:GetHostnameResponse>"
        )

    def _url(self, prefix: str) -> str:
        return escape(self._base(PATHS[prefix]))


def _date_time(name: str, moment: datetime) -> str:
    return (
        f"<tt:{name}><tt:Time><tt:Hour>{moment.hour}</tt:Hour><tt:Minute>{moment.minute}</tt:Minute>"
        f"<tt:Second>{moment.second}</tt:Second></tt:Time><tt:Date><tt:Year>{moment.year}</tt:Year>"
        f"<tt:Month>{moment.month}</tt:Month><tt:Day>{moment.day}</tt:Day></tt:Date></tt:{name}>"
    )


_ZERO_TIME = (
    "<tt:UTCDateTime><tt:Time><tt:Hour>24</tt:Hour><tt:Minute>0</tt:Minute><tt:Second>0</tt:Second></tt:Time>"
    "<tt:Date><tt:Year>1970</tt:Year><tt:Month>0</tt:Month><tt:Day>0</tt:Day></tt:Date></tt:UTCDateTime>"
)
