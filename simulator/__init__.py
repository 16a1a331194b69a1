"""Virtual cameras whose faults can be commanded: used by tests, demo and benchmarks, and to try the product without
cameras. See docs/simulator.md.
"""

from .camera import Camera
from .faults import FaultError
from .site import Site
from .spec import CameraSpec, SpecError, StreamSpec, Video

__all__ = ["Camera", "CameraSpec", "FaultError", "Site", "SpecError", "StreamSpec", "Video"]
