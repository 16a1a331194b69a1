"""Print the packages that the demo's Home Assistant would otherwise install while it starts.

Reads the manifests of the installed Home Assistant: those of the components the demo and the tests load, what they
depend on, and our own. Home Assistant's constraints are written beside the list, cut down to the packages they pin.
"""

import json
from pathlib import Path
import sys

import homeassistant

CORE = Path(homeassistant.__file__).parent
OURS = Path(__file__).parent.parent / "custom_components" / "facility_cameras"
#: What the demo's configuration loads, and what Home Assistant always does. `assist_pipeline` and `conversation` come in when the frontend asks for the
#: description of every action; without their packages the page would stay at "Loading".
COMPONENTS = [
    "api",
    "automation",
    "backup",
    "camera",
    "config",
    "conversation",
    "assist_pipeline",
    "default_config",
    "frontend",
    "ffmpeg",
    "history",
    "homeassistant_alerts",
    "http",
    "image",
    "infrared",
    "logbook",
    "lovelace",
    "media_source",
    "mobile_app",
    "mqtt",
    "my",
    "onvif",
    "person",
    "radio_frequency",
    "recorder",
    "stream",
    "sun",
    "system_health",
    "system_log",
    "telegram_bot",
    "tts",
    "stt",
]
#: Parts of default_config that need hardware or the Internet, and that nothing here uses.
LEFT_OUT = {"bluetooth", "cloud", "default_config", "dhcp", "ssdp", "usb", "stream_ingest"}


def requirements(component: str, seen: set[str]) -> set[str]:
    """All requirements of a component and of what it depends on."""
    if component in seen or component in LEFT_OUT:
        return set()
    seen.add(component)
    manifest = json.loads((CORE / "components" / component / "manifest.json").read_text())
    found = set(manifest.get("requirements", []))
    for dependency in manifest.get("dependencies", []):
        found |= requirements(dependency, seen)
    return found


def main() -> None:
    """Print one requirement a line; write Home Assistant's own pins to the file beside the environment."""
    seen: set[str] = set()
    found: set[str] = set()
    for component in COMPONENTS:
        found |= requirements(component, seen)
    manifest = OURS / "manifest.json"
    if manifest.exists():
        ours = json.loads(manifest.read_text())
        found |= set(ours["requirements"])
        for dependency in ours.get("dependencies", []):
            found |= requirements(dependency, seen)
    pins = CORE / "package_constraints.txt"
    (Path(sys.prefix) / "component_constraints.txt").write_text(pins.read_text())
    print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
