"""One stream of a virtual camera: what it plays, its timelines, and what it says of itself."""

from fractions import Fraction

from .behaviour import Behaviour
from .clip import Shot
from .media import Timeline
from .packets import VIDEO_CLOCK
from .reel import Reel, audio_reel, video_reel
from .sdp import describe
from .spec import CameraSpec, StreamSpec, Video


class Stream:
    """Timeline 0 is the video, 1 the audio if there is any."""

    def __init__(self, spec: StreamSpec, camera: CameraSpec, behaviour: Behaviour, reel: Reel) -> None:
        """Play `reel` until told otherwise."""
        self.spec = spec
        self.shot = Shot(camera.scene, spec.video)
        self._camera, self._behaviour, self._reel = camera, behaviour, reel
        self.timelines = {0: Timeline(reel.loop, Fraction(spec.video.fps), VIDEO_CLOCK)}
        self._audio = None
        if spec.audio is not None:
            audio = audio_reel(spec.audio, behaviour.style)
            self._audio = audio.clip
            rate = audio.clip.rate
            self.timelines[1] = Timeline(audio.loop, Fraction(rate, audio.clip.samples), rate)

    @classmethod
    async def create(cls, spec: StreamSpec, camera: CameraSpec, behaviour: Behaviour) -> Stream:
        """The stream with its clip, which is encoded if it never was."""
        return cls(spec, camera, behaviour, await video_reel(Shot(camera.scene, spec.video), behaviour.style))

    @property
    def video(self) -> Video:
        """How the video is coded now: a fault may change its size."""
        return self.shot.video

    def describe(self, base: str) -> bytes:
        """The SDP; `base` is the stream's URL."""
        return describe(self._camera.name, base, self._reel, self._audio, self.video.fps, self._behaviour)

    async def prepare(self, shot: Shot) -> Reel:
        """Have another clip ready."""
        return await video_reel(shot, self._behaviour.style)

    def next_key(self, seconds: float) -> int:
        """The first key picture due after `seconds` from the camera's start."""
        return self.timelines[0].next_key(self.timelines[0].due(seconds))

    def switch(self, reel: Reel, shot: Shot, at: int) -> None:
        """Play `reel` from picture `at`, which is a key picture of what plays now."""
        self.shot, self._reel = shot, reel
        self.timelines[0].switch(reel.loop, at, restart=shot.still is not None)
