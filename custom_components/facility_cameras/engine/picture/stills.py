"""Stills: the newest key picture as JPEG, decoded by the worker process, at most once per picture and size.

Interface first; the body follows.
"""

from ..media import Sample, StreamFormat


class PictureError(Exception):
    """No JPEG could be made of this picture; the sentence says why. The next picture may do."""


class Stills:
    """Decodes on demand: nothing runs until somebody asks."""

    async def picture(
        self, camera_id: str, stream: StreamFormat, sample: Sample, width: int | None = None, height: int | None = None
    ) -> bytes:
        """`sample`, a key picture, as JPEG, fitted into width × height (never enlarged). Raises PictureError."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the worker."""
