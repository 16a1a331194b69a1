"""What the engine and its worker processes take of this machine: processor time, memory, open handles.

Read from /proc; what is not there (another system, a process that just ended) is left out. Bounded at `MOST` processes.
"""

from dataclasses import dataclass
import os
from pathlib import Path

#: So many processes, and threads of each, are looked at.
MOST = 256


@dataclass(frozen=True, slots=True)
class Load:
    """`cpu_s` of processor time since the start, ended workers with it; None where /proc tells nothing."""

    cpu_s: float | None
    memory_bytes: int | None
    handles: int | None


def load(proc: Path = Path("/proc"), pid: int | None = None) -> Load:
    """The load of a process and everything below it; blocks for a moment. `pid` None is this process."""
    root = os.getpid() if pid is None else pid
    pids = _family(proc, root)
    times = [spent for each in pids if (spent := _cpu(proc / str(each) / "stat")) is not None]
    sizes = [size for each in pids if (size := _memory(proc / str(each) / "statm")) is not None]
    return Load(sum(times) if times else None, sum(sizes) if sizes else None, _handles(proc / str(root) / "fd"))


def _family(proc: Path, root: int) -> list[int]:
    """A process and all below it, oldest first."""
    found = [root]
    for pid in found:
        try:
            threads = sorted((proc / str(pid) / "task").iterdir())[:MOST]
        except OSError:
            continue
        for thread in threads:
            try:
                with (thread / "children").open() as file:
                    names = file.read(4096).split()
            except OSError:
                continue
            found += [int(name) for name in names if name.isdecimal() and len(name) < 10]
        if len(found) >= MOST:
            return found[:MOST]
    return found


def _cpu(path: Path) -> float | None:
    """Seconds of user and system time, of the process and of those of its children that ended."""
    try:
        with path.open() as file:
            # A process may be called anything; behind the last bracket there are only numbers.
            numbers = file.read(4096).rpartition(")")[2].split()
        return sum(map(int, numbers[11:15])) / os.sysconf("SC_CLK_TCK")
    except OSError, ValueError:
        return None


def _memory(path: Path) -> int | None:
    try:
        with path.open() as file:
            return int(file.read(256).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError, ValueError, IndexError:
        return None


def _handles(path: Path) -> int | None:
    try:
        return sum(1 for _ in path.iterdir())
    except OSError:
        return None
