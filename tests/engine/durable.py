"""A file layer that knows what a power cut would leave: of files what was synced, of folders the entries that were.

The index is SQLite's own affair: it syncs at the end of every transaction (synchronous=FULL), so what it has in its
files between two transactions is what a power cut leaves. That is taken as it is, and not tried here.
"""

import os
from pathlib import Path
import shutil

from custom_components.facility_cameras.engine.archive.files import Files
from custom_components.facility_cameras.engine.archive.opening import INDEX

#: What lies behind what was synced.
NOTHING, ZEROS, HALF = "nothing", "zeros", "half"


class DurableFiles(Files):
    """Below `root`, where all that is there at the beginning is on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        #: By inode: the content that is on the disk, and of a folder its entries (name and inode).
        self._content: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, int]] = {}
        for folder, _, names in os.walk(root):
            self._keep_folder(Path(folder))
            for name in names:
                path = Path(folder, name)
                self._content[path.stat().st_ino] = path.read_bytes()

    def _keep_folder(self, folder: Path) -> None:
        self._entries[folder.stat().st_ino] = {path.name: path.stat().st_ino for path in folder.iterdir()}
        for path in folder.iterdir():
            if path.is_dir():
                # There, and empty until it is synced itself.
                self._entries.setdefault(path.stat().st_ino, {})

    def leave_unsynced(self, path: Path) -> None:
        """Neither it nor its folder was synced after it was made."""
        del self._entries[path.parent.stat().st_ino][path.name]
        del self._content[path.stat().st_ino]

    def sync(self, fd: int) -> None:
        super().sync(fd)
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if path.is_dir():
            self._keep_folder(path)
        else:
            self._content[os.fstat(fd).st_ino] = path.read_bytes()

    def sync_data(self, fd: int) -> None:
        self.sync(fd)

    def cut(self, image: Path, rest: str) -> None:
        """What a power cut now leaves goes into `image`. `rest` says what of a file lies behind what was synced; unless
        it is NOTHING, what was not synced of folders is there too.
        """
        image.mkdir(parents=True)
        if rest == NOTHING:
            self._restore(self._root.stat().st_ino, image)
        else:
            for folder, _, names in os.walk(self._root):
                to = image / Path(folder).relative_to(self._root)
                to.mkdir(exist_ok=True)
                for name in names:
                    self._torn(Path(folder, name), to / name, rest)
        for path in self._root.glob(f"archive/{INDEX}*"):
            shutil.copy(path, image / "archive" / path.name)

    def _restore(self, inode: int, to: Path) -> None:
        for name, number in self._entries.get(inode, {}).items():
            if number in self._entries:
                (to / name).mkdir()
                self._restore(number, to / name)
            elif not name.startswith(INDEX):
                (to / name).write_bytes(self._content.get(number, b""))

    def _torn(self, path: Path, to: Path, rest: str) -> None:
        synced = self._content.get(path.stat().st_ino, b"")
        behind = path.read_bytes()[len(synced) :]
        to.write_bytes(synced + (bytes(len(behind)) if rest == ZEROS else behind[: len(behind) // 2]))
