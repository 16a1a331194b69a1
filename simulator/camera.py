"""One virtual camera.

The seam for other services of a camera (ONVIF): `site.py` calls `async serve(camera) -> Service` of `simulator.onvif`
for each camera whose `spec.http_port` is not None and awaits `close()` of what it returned. What such a service may use
of a camera is `spec`, `password` (a fault may change it), `url()`, `now()`, `snapshot()` and `reachable`.
"""

from .spec import CameraSpec, StreamSpec, Video

__all__ = ["CameraSpec", "StreamSpec", "Video"]
