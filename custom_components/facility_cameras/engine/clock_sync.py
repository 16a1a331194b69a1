"""Whether a time service keeps this machine's clock right: as the kernel knows it, or systemd's own mark.

The kernel's word holds in a container too: there is one clock. What cannot be read is unknown, not bad.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path

#: systemd's time service makes this file once it has set the clock.
MARK = Path("/run/systemd/timesync/synchronized")
_UNSYNC = 0x40


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`, the same everywhere, and more room than its rest needs."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("most_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """How the clock is kept. `error_s` and `drift_ppm` are known only of a clock that is."""

    synchronised: bool | None
    error_s: float | None = None
    drift_ppm: float | None = None


def kept(mark: Path = MARK) -> Kept:
    """Ask the kernel; blocks for a moment."""
    told = _Timex()
    try:
        failed = ctypes.CDLL(None).adjtimex(ctypes.byref(told)) == -1
    except OSError, AttributeError:
        failed = True
    if not failed and not told.status & _UNSYNC:
        return Kept(True, told.estimated_error / 1e6, told.frequency / 65536)
    if mark.exists():
        return Kept(True)
    return Kept(None if failed else False)
