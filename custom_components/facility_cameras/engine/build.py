"""Which build of the engine this is: a hub replaces an engine of another build by its own."""

import hashlib
from pathlib import Path


def build_id() -> str:
    """A fingerprint of all source files of the engine. Reads them: blocks for some milliseconds."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
