"""Footage for tests that read it back: real files with real pictures in an archive, and what is in them, picture by picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import CLOSED, Closing
from custom_components.facility_cameras.engine.fmp4 import Fragmenter, identity_box, init_segment
from custom_components.facility_cameras.engine.media import Sample
from custom_components.facility_cameras.engine.playback import Fragment
from tests.engine.clip_samples import Clip, make_clip

SECOND = 1_000_000
FPS = 10
#: Pictures in a fragment where groups are longer than a fragment may be.
_SPLIT = 20


@cache
def clip_of(kind: str) -> Clip:
    """Eight groups of ten pictures, most a second each."""
    frames, gop = 80, 10
    match kind:
        case "plain":
            return make_clip(frames=frames, fps=FPS, gop=gop)
        case "sound":
            return make_clip(frames=frames, fps=FPS, gop=gop, b_frames=2, audio=True)
        case "reordered":
            return make_clip(frames=frames, fps=FPS, gop=gop, b_frames=3)
        case "small":
            return make_clip(frames=frames, fps=FPS, gop=gop, size=(160, 128))
        case "odd":
            return make_clip(frames=frames, fps=Fraction(25, 3), gop=gop, b_frames=2)
        case "long":
            # Groups of 20 s, in fragments of 2 s.
            return make_clip(frames=400, fps=FPS, gop=200)
        case "open":
            return make_clip("h265", frames=frames, fps=FPS, gop=gop, b_frames=4, open_groups=True)
    return make_clip("h265", frames=frames, fps=FPS, gop=gop, b_frames=2)


@dataclass(frozen=True)
class Picture:
    """One recorded picture that can be decoded. `apart`: it cannot be put behind the pictures of another run."""

    utc_us: float
    end_us: float
    number: int
    key: bool
    kind: str
    apart: bool = False


@dataclass
class Footage:
    """What was recorded of one camera."""

    archive: Archive
    camera: str
    at_us: int
    pictures: list[Picture] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    _runs: int = 0
    _maker: Fragmenter = field(default_factory=Fragmenter)
    _kind: str = ""
    _next: int = 0

    def record(
        self, kind: str, groups: int, *, hole_us: int = 0, pull_us: int = 0, begin: int | None = 0,
        heard_s: tuple[float, float] = (0, 1000),
    ) -> None:  # fmt: skip
        """A file of some groups of a clip, from group `begin` on, `hole_us` after what is there. None: the run goes on,
        as far as it can. Its wall duration differs from its pictures' by `pull_us`. Of the clip's sound there is only
        what lies within `heard_s`.
        """
        clip = clip_of(kind)
        starts = [place for place, sample in enumerate(clip.samples) if sample.key]
        if begin is not None or hole_us or kind != self._kind or self._next + groups > len(starts):
            self._maker, self._kind, self._next = Fragmenter(), kind, min(begin or 0, len(starts) - groups)
            self._runs += 1
            broken = True
        else:
            broken = False
        first, self._next = self._next, self._next + groups
        start_us = self.at_us + hole_us
        units = _units(clip, first, groups)
        base, end = units[0][0], int(len(clip.video) * 90_000 // clip.fps)
        if first + groups < len(starts):
            end = clip.samples[starts[first + groups]].time
        run = f"{self.camera}-{self._runs}"
        init = init_segment(clip.stream)
        content, fragments = [identity_box(self.camera, run)], []
        before = base
        for number, (_, some) in enumerate(units):
            pictures = [sample for sample in some if not sample.audio]
            sound = [sample for sample in some if sample.audio and heard_s[0] <= sample.time / 16_000 < heard_s[1]]
            after = units[number + 1][0] if number + 1 < len(units) else end
            last = number + 1 == len(units) and first + groups == len(starts)
            made = self._maker.build(
                pictures, sound, None if last else after,
                start_us + (min(sample.time for sample in pictures) - base) * 100 // 9,
            )  # fmt: skip
            extra = len(content[0]) if number == 0 else 0
            fragments.append(Fragment(made.size + extra, (made.end - before) * 100 // 9, made.key))
            before = after
            content += made.parts
            self._note(pictures, kind, start_us, base, broken=broken and number == 0)
        data = init + b"".join(content)
        end_us = start_us + round((end - base) * 100 / 9) + pull_us
        index = self.archive.index
        assert index is not None
        name = f"day/{start_us}.mp4"
        number = index.open_segment(self._folder(), run, clip.stream.video.codec, init, start_us, name)
        path = self.archive.root / self._place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        count = sum(not sample.audio for _, some in units for sample in some)
        index.close_segment(
            number, Closing(start_us, end_us, len(data), count, bytes(32), pack_fragments(fragments)), CLOSED
        )
        assert len(data) == len(init) + sum(fragment.bytes for fragment in fragments)
        self.paths.append(str(path))
        latest = max(range(len(self.pictures)), key=lambda place: self.pictures[place].utc_us)
        self.pictures[latest] = replace(self.pictures[latest], end_us=end_us)
        self.at_us = end_us

    def _folder(self) -> str:
        assert self.archive.index is not None
        self._place = self.archive.index.camera_folder(self.camera, "f1", f"f/{self.camera}")
        return self.camera

    def _note(self, pictures: Sequence[Sample], kind: str, start_us: int, base: int, *, broken: bool) -> None:
        for sample in pictures:
            at = start_us + (sample.time - base) * 100 / 9
            # What is shown before the first key picture of a run needs pictures that nobody has.
            if not broken or sample.time >= pictures[0].time:
                fps = clip_of(kind).fps
                number = round(sample.time * fps / 90_000) % 256
                self.pictures.append(
                    Picture(at, at + float(SECOND / fps), number, sample.key, kind, broken and _apart(sample, kind))
                )

    def expected(self, start_us: int, end_us: int, hold_us: int) -> list[list[Picture]]:
        """The pictures of [start_us, end_us), each file's by themselves, as whoever looks at the footage would say."""
        shown = sorted(self.pictures, key=lambda picture: picture.utc_us)
        keys = [picture for picture in shown if picture.key]
        # The footage that contains the start, from its key picture; if there is none, what begins after it.
        inside = next((one for one in shown if one.utc_us <= start_us < one.end_us - 1), None)
        begin: float = start_us
        if inside is not None:
            begin = max(one.utc_us for one in keys if one.utc_us <= start_us)
        wanted = [one for one in shown if begin <= one.utc_us < end_us]
        parts: list[list[Picture]] = []
        for before, one in zip([None, *wanted], wanted, strict=False):
            if (
                before is None
                or one.utc_us - before.end_us > hold_us
                or one.apart
                or clip_of(one.kind).stream != clip_of(before.kind).stream
            ):
                parts.append([])
            parts[-1].append(one)
        return parts


def _apart(sample: Sample, kind: str) -> bool:
    """Whether it is an H.265 key picture that does not begin everything anew (CRA)."""
    if clip_of(kind).stream.video.codec == "h264" or not sample.key:
        return False
    kinds = [part[0] >> 1 & 0x3F for part in sample.parts[1::2]]
    return next(kind for kind in kinds if kind < 32) == 21


def _units(clip: Clip, first: int, groups: int) -> list[tuple[int, list[Sample]]]:
    """What becomes fragments: the groups, long ones in pieces; each with when it begins."""
    starts = [place for place, sample in enumerate(clip.samples) if sample.key]
    found = []
    for begin, end in list(pairwise([*starts, len(clip.samples)]))[first : first + groups]:
        # Only pictures that are not reordered come in long groups.
        step = _SPLIT if end - begin > 4 * _SPLIT else end - begin
        found += [clip.samples[place : min(place + step, end)] for place in range(begin, end, step)]
    return [(some[0].time, some) for some in found]
