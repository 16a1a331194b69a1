"""ONVIF: what a camera tells about itself. Knows nothing of Home Assistant.

`read_device` is the door; it raises `OnvifError` with an `OnvifCause`. Importing this package is quick: the ONVIF
library (zeep, lxml, its WSDL files) is imported and loaded in a thread by the first call.
"""

from .device import Device, Profile
from .errors import OnvifCause, OnvifError
from .identity import Identity
from .reading import USUAL_PORTS, read_device

__all__ = ["USUAL_PORTS", "Device", "Identity", "OnvifCause", "OnvifError", "Profile", "read_device"]
