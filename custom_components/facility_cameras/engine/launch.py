"""Starts the engine: `python -P launch.py`, with a LaunchRequest (api.py) as JSON on standard input.

Loads the package under a name of its own, so that neither Home Assistant is imported nor a folder of ours comes first on
the module path.
"""

import importlib
import importlib.util
from pathlib import Path
import sys

NAME = "facility_cameras_engine"


def load() -> None:
    """Make the folder of this file the package NAME."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"the engine's package is not in {folder}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load()
    raise SystemExit(importlib.import_module(f"{NAME}.main").main())
