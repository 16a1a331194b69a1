"""One stream of a virtual camera: its clips, its timelines, and what it says of itself."""

from fractions import Fraction

from . import clip as clips
from .behaviour import Behaviour
from .clip import AudioClip, Clip, Shot
from .media import Timeline
from .packets import VIDEO_CLOCK, audio_loop, video_loop
from .sdp import describe
from .spec import CameraSpec, StreamSpec


class Stream:
    """Timeline 0 is the video, 1 the audio if there is any."""

    def __init__(self, spec: StreamSpec, camera: CameraSpec, behaviour: Behaviour, clip: Clip) -> None:
        """Play `clip` until told otherwise."""
        self.spec = spec
        #: How the video is coded now: a fault may change its size.
        self.video = spec.video
        self.shot = Shot(camera.scene, spec.video)
        self._camera, self._behaviour, self._clip = camera, behaviour, clip
        self._audio: AudioClip | None = None
        loop = video_loop(clip, behaviour.style)
        self.timelines = {0: Timeline(loop, Fraction(spec.video.fps), VIDEO_CLOCK)}
        if spec.audio is not None:
            audio = self._audio = clips.audio(spec.audio)
            clock = audio.rate
            self.timelines[1] = Timeline(audio_loop(audio, behaviour.style), Fraction(clock, audio.samples), clock)

    @classmethod
    async def create(cls, spec: StreamSpec, camera: CameraSpec, behaviour: Behaviour) -> Stream:
        """The stream with its clip, which is encoded if it never was."""
        return cls(spec, camera, behaviour, await clips.load(Shot(camera.scene, spec.video)))

    def describe(self, base: str) -> bytes:
        """The SDP."""
        return describe(self._camera.name, base, self._clip, self._audio, self.video.fps, self._behaviour)

    async def prepare(self, shot: Shot) -> Clip:
        """Have another clip ready."""
        return await clips.load(shot)

    def next_key(self, seconds: float) -> int:
        """The first key picture due after `seconds` from the camera's start."""
        return self.timelines[0].next_key(self.timelines[0].due(seconds))

    def switch(self, clip: Clip, shot: Shot, at: int) -> None:
        """Play `clip` from picture `at`, which is a key picture of what plays now."""
        self.shot, self.video, self._clip = shot, shot.video, clip
        self.timelines[0].switch(video_loop(clip, self._behaviour.style), at, restart=shot.still is not None)
