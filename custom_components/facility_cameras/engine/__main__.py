"""`python -P custom_components/facility_cameras/engine COMMAND ARCHIVE`: see command_line.py.

Run as a folder this file is no part of a package: as launch.py does, it makes the folder a package of its own, and takes
it off the module path, where its files would hide others.
"""

import importlib
import importlib.util
from pathlib import Path
import sys


def _package() -> str:
    folder = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
    spec = importlib.util.spec_from_file_location("launch", folder / "launch.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"launch.py is not in {folder}")
    launch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launch)
    launch.load()
    return str(launch.NAME)


if __name__ == "__main__":
    raise SystemExit(importlib.import_module(f"{__package__ or _package()}.command_line").main())
