"""Virtual cameras whose faults can be commanded: used by tests, demo and benchmarks, and to try the product without
cameras. See docs/simulator.md.
"""

from .spec import CameraSpec, SpecError, StreamSpec, Video

__all__ = ["CameraSpec", "SpecError", "StreamSpec", "Video"]
