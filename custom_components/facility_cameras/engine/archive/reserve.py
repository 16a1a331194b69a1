"""A little room that is set aside while a volume has enough, and given up when it has none.

Promise I4: an index cannot be opened without a place for its log in the volume's table of files, nor without room for
what it notes; and as long as it is not open nothing is known that might be deleted to make any. Blocks.
"""

import contextlib
import os
from pathlib import Path

from .files import Files

NAME = ".reserve"
BYTES = 1 << 20


def set_aside(root: Path, files: Files) -> None:
    """Unless there is some. Raises OSError."""
    path = root / NAME
    if files.exists(path):
        return
    fd = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        # Nothing that a file system could make smaller.
        content = memoryview(os.urandom(BYTES))
        while content:
            content = content[files.write(fd, content) :]
    finally:
        files.close(fd)


def give_up(root: Path, files: Files) -> bool:
    """Whether there was any. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        files.unlink(root / NAME)
        return True
    return False
