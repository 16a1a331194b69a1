"""The fragments of a segment as the index keeps them: where each begins, how long it lasts, whether it has a key picture.

Small, because most of an index is this: as a rule three or four bytes a fragment, the same duration as before costs none.
"""

from collections.abc import Iterator, Sequence

from ..playback import Fragment

#: What packed fragments begin with. Those of schema 2, which begin with the first one's size, never do.
_DIFFERENCES = 0


def pack_fragments(fragments: Sequence[Fragment]) -> bytes:
    """Variable-length numbers: `size, key, same duration`, and if it is not the same, the difference to the one before
    in 1/90000 s.
    """
    numbers = []
    before = 0
    for fragment in fragments:
        ticks = round(fragment.duration_us * 9 / 100)
        difference, before = ticks - before, ticks
        numbers.append(fragment.bytes << 2 | fragment.key << 1 | (not difference))
        if difference:
            numbers.append(difference << 1 if difference > 0 else -difference << 1 | 1)
    packed = bytearray((_DIFFERENCES,))
    for number in numbers:
        while number > 127:
            packed.append(number & 127 | 128)
            number >>= 7
        packed.append(number)
    return bytes(packed)


def unpack_fragments(packed: bytes) -> list[Fragment]:
    """The reverse of `pack_fragments`; reads what schema 2 packed, too."""
    return [Fragment(*fragment) for fragment in read_fragments(packed)]


def read_fragments(packed: bytes) -> Iterator[tuple[int, int, bool]]:
    """The same without an object for each: the playlist of a day reads 40,000."""
    numbers = iter(_numbers(packed))
    if packed[:1] != b"\0":
        # Schema 2: size and key, and the duration, of each.
        for size, ticks in zip(numbers, numbers, strict=False):
            yield size >> 1, round(ticks * 100 / 9), size & 1 == 1
        return
    next(numbers)
    ticks = duration_us = 0
    for number in numbers:
        if not number & 1:
            difference = next(numbers, 0)
            ticks += -(difference >> 1) if difference & 1 else difference >> 1
            duration_us = round(ticks * 100 / 9)
        yield number >> 2, duration_us, number & 2 == 2


def _numbers(packed: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in packed:
        if byte < 128:
            numbers.append(number | byte << shift)
            number = shift = 0
        else:
            number |= (byte & 127) << shift
            shift += 7
    return numbers
