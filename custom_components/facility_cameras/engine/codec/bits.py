"""Reading parameter sets bit by bit (ISO/IEC 14496-10 clause 7.2, 9.1)."""


class BitError(ValueError):
    """The data ended before the value, or a value is absurd."""


def unescape(nal: bytes) -> bytes:
    """Take the emulation prevention bytes out (00 00 03 becomes 00 00)."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


class BitReader:
    """Reads unsigned bits from bytes, most significant first."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first bit of `data`."""
        self._value = int.from_bytes(data)
        self._left = len(data) * 8

    def bits(self, count: int) -> int:
        """The next `count` bits as a number. Raises BitError at the end of the data."""
        if count > self._left:
            raise BitError("parameter set too short")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return self.bits(1) == 1

    def skip(self, count: int) -> None:
        """Pass over `count` bits."""
        self.bits(count)

    def ue(self) -> int:
        """An unsigned Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 32:
                raise BitError("Exp-Golomb number too long")
        return (1 << zeros) - 1 + (self.bits(zeros) if zeros else 0)

    def se(self) -> int:
        """A signed Exp-Golomb number (9.1.1)."""
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)
