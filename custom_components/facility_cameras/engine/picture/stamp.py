"""Writes into a picture that it is old: a band along its lower edge with a clock's face, words and a time.

Runs in the worker process only, and imports nothing of the engine. Legible on any picture and at any size: black on
amber, which no camera's own clock uses, a twenty-fourth of the picture's width high. Pillow's own font is the only one
that is certain to be there. It has no letters but ASCII, so the marks of Vietnamese letters are drawn here, as strokes.
"""

import unicodedata

from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFont

#: Amber, as JPEG has it: luma, and both chromas.
_GROUND, _CHROMA = 194, (19, 172)
_INK = 0
#: The letters' size is this part of the picture's width (of a panorama: of twice its height), and at least so many pixels.
_PART, _LEAST = 24, 12
#: Letters that must fit into a very narrow picture are made smaller, down to this.
_SMALLEST = 5
#: Around the letters, in their size: above (where marks are), below, and at both sides.
_ABOVE, _BELOW, _SIDE = 0.35, 0.35, 0.5
#: Letters are drawn so many times larger and made small (those above _SMALL less): so strokes have soft edges as the font.
_SMALL, _FINER, _FINER_LARGE = 64, 4, 2
#: How thick a stroke is.
_STROKE = 0.085

type _Points = tuple[tuple[float, float], ...]

#: Marks above a letter as strokes, from the middle of its top, in the letters' size; and how high each is.
_MARKS: dict[str, tuple[_Points, float]] = {
    "\u0300": (((-0.09, -0.17), (0.05, -0.05)), 0.17),
    "\u0301": (((0.09, -0.17), (-0.05, -0.05)), 0.17),
    "\u0302": (((-0.16, -0.04), (0.0, -0.17), (0.16, -0.04)), 0.15),
    "\u0303": (((-0.16, -0.06), (-0.08, -0.13), (0.07, -0.06), (0.16, -0.13)), 0.15),
    "\u0306": (((-0.16, -0.17), (-0.09, -0.07), (0.0, -0.04), (0.09, -0.07), (0.16, -0.17)), 0.15),
    "\u0309": (((-0.08, -0.19), (0.02, -0.22), (0.08, -0.17), (0.0, -0.11), (0.0, -0.04)), 0.2),
}
_CIRCUMFLEX, _BREVE, _HORN, _DOT = "\u0302", "\u0306", "\u031b", "\u0323"


def stamp(picture: VideoFrame, text: str) -> None:
    """Draw the band into a picture (yuv420p, full range)."""
    width, height = picture.width, picture.height
    size = max(_LEAST, min(width, 2 * height) // _PART)
    line = _line(text, size)
    if line.width > width:
        line = _line(text, max(_SMALLEST, size * width // line.width))
    # Chroma has half the rows.
    top = max(0, height - line.height) // 2 * 2
    band = Image.new("L", (width, height - top), _GROUND)
    band.paste(_INK, (max(0, (width - line.width) // 2), 0), line)
    _fill(picture, 0, top, band)
    for number, value in enumerate(_CHROMA, 1):
        _fill(picture, number, top // 2, Image.new("L", ((width + 1) // 2, (height - top + 1) // 2), value))


def _fill(picture: VideoFrame, number: int, top: int, band: Image.Image) -> None:
    plane = picture.planes[number]
    rows, data = memoryview(plane).cast("B"), band.tobytes()
    for row in range(band.height):
        at = (top + row) * plane.line_size
        rows[at : at + band.width] = data[row * band.width : (row + 1) * band.width]


def _line(text: str, size: int) -> Image.Image:
    """The clock's face and a text, white on black, with room around."""
    finer = _FINER if size < _SMALL else _FINER_LARGE
    em = size * finer
    font = ImageFont.load_default(em)
    letters = [_apart(letter) for letter in unicodedata.normalize("NFC", text)]
    face = round(0.95 * em)
    long = 2 * _SIDE * em + face + 0.4 * em + sum(font.getlength(base) for base, _ in letters)
    line = Image.new("L", (round(long), round((1 + _ABOVE + _BELOW) * em)))
    draw = ImageDraw.Draw(line)
    middle, base_line, left = line.height / 2, (_ABOVE + 0.82) * em, _SIDE * em
    _face(draw, left, middle - face / 2, face, em)
    left += face + 0.4 * em
    for base, marks in letters:
        draw.text((left, base_line), base, font=font, fill=255, anchor="ls")
        _mark(draw, font.getbbox(base, anchor="ls"), marks, (left, base_line), em)
        left += font.getlength(base)
    return line.reduce(finer)


def _apart(letter: str) -> tuple[str, str]:
    """A letter that the font has, and the marks that make it the one that is meant."""
    if letter in "đĐ":
        return ("d" if letter == "đ" else "D"), letter
    apart = unicodedata.normalize("NFD", letter)
    drawn = apart[0] == "·" or (apart[0].isascii() and apart[0].isprintable())
    return (apart[0] if drawn else "?"), apart[1:]


def _face(draw: ImageDraw.ImageDraw, left: float, top: float, face: int, em: int) -> None:
    stroke = max(1, round(_STROKE * em))
    draw.ellipse((left, top, left + face, top + face), outline=255, width=stroke)
    x, y = left + face / 2, top + face / 2
    draw.line(((x, y - 0.3 * face), (x, y), (x + 0.22 * face, y + 0.12 * face)), fill=255, width=stroke, joint="curve")


def _mark(
    draw: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    marks: str,
    at: tuple[float, float],
    em: int,
) -> None:
    """Draw the marks of a letter that fills `box` and stands at `at`."""
    stroke = max(1, round(_STROKE * em))
    left, top, right, _ = box
    x, y = at[0] + (left + right) / 2, at[1]

    def line(points: _Points, x: float, y: float) -> None:
        draw.line([(x + em * across, y + em * down) for across, down in points], fill=255, width=stroke, joint="curve")

    above = y + top
    for mark in marks:
        if mark in _MARKS:
            points, high = _MARKS[mark]
            # A tone stands beside the roof of â and ê, and on that of ă it would touch the line above.
            beside = above < y + top
            line(points, x + (0.2 * em if beside else 0.0), above + (0.1 * em if beside else 0.0))
            above -= high * em
        elif mark == _HORN:
            line(((-0.07, 0.08), (0.03, 0.05), (0.07, -0.06)), at[0] + right, y + top)
        elif mark == _DOT:
            draw.ellipse((x - 0.065 * em, y + 0.09 * em, x + 0.065 * em, y + 0.22 * em), fill=255)
        elif mark == "đ":
            line(((-0.2, 0.0), (0.06, 0.0)), at[0] + right, y - 0.6 * em)
        elif mark == "Đ":
            line(((-0.07, 0.0), (0.22, 0.0)), at[0] + left, y - 0.36 * em)
