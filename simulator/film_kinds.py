"""Which long scenes there are: harmless ones, in which no picture check may cry, and true faults, which it must find."""

from dataclasses import dataclass
from typing import Literal

#: What a picture check should say; "" where it should say nothing.
type Truth = Literal["", "frozen", "black", "covered", "moved", "no_stream"]
#: Where a camera hangs: outdoors; a corridor; a hall with shelves. "any": by the seed.
type Where = Literal["yard", "corridor", "hall", "any"]


@dataclass(frozen=True, slots=True)
class FilmKind:
    """One kind of long scene. `truth` holds from the second on that the film tells as `fault_at`."""

    name: str
    truth: Truth
    where: Where
    shows: str


_ALL = (
    FilmKind(
        "day_night", "", "yard", "a whole day; at dusk and dawn infra-red goes on and off, and colour goes and comes"
    ),
    FilmKind("rain", "", "yard", "showers of half an hour to two hours: streaks, less contrast, bright in infra-red"),
    FilmKind("snow", "", "yard", "snow falls for hours, the ground turns white"),
    FilmKind("insects", "", "yard", "insects round the lamp at night, some large and bright near the lens"),
    FilmKind(
        "lamps", "", "hall", "lamps are switched off and on every few minutes; at night infra-red takes over after 5 s"
    ),
    FilmKind("headlights", "", "yard", "cars turn in at night and shine into the lens"),
    FilmKind("clouds", "", "yard", "clouds pass: light falls to a quarter, within seconds or minutes"),
    FilmKind(
        "empty_corridor", "", "corridor", "nobody for hours, even light, almost no noise after the camera's filter"
    ),
    FilmKind("standing", "", "any", "people who stand still for up to an hour"),
    FilmKind("crowd", "", "any", "people pass close to the lens, one after another, in the busy hours"),
    FilmKind("door", "", "corridor", "a door stands open for an hour, several times a day"),
    FilmKind("vehicle", "", "yard", "a lorry is parked in a large part of the view for hours"),
    FilmKind("ptz", "", "yard", "a camera that visits its presets in turn, 40 s to 4 min each"),
    FilmKind("recode", "", "any", "the camera codes at another bit rate, changed every hour or two"),
    FilmKind("wind", "", "yard", "the mast shakes in gusts"),
    FilmKind("fog", "", "yard", "fog comes within hours and goes again"),
    FilmKind("no_clock", "", "any", "an ordinary day, without a clock in the picture"),
    FilmKind("grey", "", "any", "the camera is set to black and white by day, and back"),
    FilmKind("frozen_exact", "frozen", "any", "one coded picture repeats byte for byte; the clock stands"),
    FilmKind("frozen_recoded", "frozen", "any", "one picture is coded again and again, each time a little differently"),
    FilmKind("black_cap", "black", "any", "a cap on the lens: noise of the sensor, and the clock"),
    FilmKind("black_no_light", "black", "hall", "the lamp fails at night in a camera without infra-red"),
    FilmKind("covered_hand", "covered", "any", "a hand over the lens, light at its edge, never quite still"),
    FilmKind("covered_cloth", "covered", "any", "a cloth hung over the camera, moving a little"),
    FilmKind("covered_paint", "covered", "any", "paint sprayed on the lens, most of the view within some seconds"),
    FilmKind("covered_bag", "covered", "any", "a thin plastic bag over it: milky, very soft, folds"),
    FilmKind("covered_defocus", "covered", "any", "the lens out of focus"),
    FilmKind("moved_10", "moved", "any", "turned by a tenth of the picture's width"),
    FilmKind("moved_30", "moved", "any", "turned by three tenths"),
    FilmKind("moved_full", "moved", "any", "turned by nearly a whole picture: nothing of the old view is left"),
    FilmKind("moved_tilt", "moved", "any", "tilted up or down by a quarter of the picture's height"),
    FilmKind("moved_knocked", "moved", "any", "knocked: shakes, then hangs askew"),
    FilmKind("no_video_blue", "no_stream", "any", "a recorder's blue plate, NO VIDEO"),
    FilmKind("no_video_black", "no_stream", "any", "a recorder's black plate, VIDEO LOSS"),
    FilmKind("no_video_clock", "no_stream", "any", "a recorder's plate on which the clock runs on"),
)

KINDS: dict[str, FilmKind] = {kind.name: kind for kind in _ALL}
HARMLESS: tuple[str, ...] = tuple(kind.name for kind in _ALL if not kind.truth)
FAULTS: tuple[str, ...] = tuple(kind.name for kind in _ALL if kind.truth)
