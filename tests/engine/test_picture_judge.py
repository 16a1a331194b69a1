"""What is told of long scenes of the simulator, look by look, without a worker: minutes before a fault and after it."""

from av.video.reformatter import VideoReformatter
import pytest

from custom_components.facility_cameras.engine.picture import worker
from custom_components.facility_cameras.engine.picture.judge import PLATE_S, Look, Verdict, judge, masked_cells
from custom_components.facility_cameras.engine.picture.known import Known
from custom_components.facility_cameras.engine.picture.seen import see
from custom_components.facility_cameras.engine.picture.view import edges, weights
from simulator.film_coder import FilmCoder, camera


class Looked:
    """A film, and looks at it."""

    def __init__(self, kind: str, seed: int = 2) -> None:
        self.coder: FilmCoder = camera(seed, kind)
        self.known = Known()

    def look(self, second: float) -> Verdict:
        key = self.coder.key_picture(second)
        data = worker.annex_b(memoryview(key.sets)) + worker.annex_b(memoryview(key.nals))
        frame, _ = worker.decode("h264" if key.codec == "h264" else "hevc", data, skip_loop_filter="all")
        seen, _ = see(frame, VideoReformatter())
        shown = edges(seen.grey, weights([]))
        now_us = round(second * 1e6)
        return judge(self.known, Look(seen, shown, [], masked_cells([]), second, now_us, "normal"))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("black_no_light", "black"),
        ("covered_bag", "covered"),
        ("covered_paint", "covered"),
        ("moved_10", "moved"),
    ],
)
def test_told_after_some_looks_that_agree_and_never_after_one(kind: str, status: str) -> None:
    film = Looked(kind)
    at = film.coder.film.fault_at
    assert at is not None
    assert [film.look(at - 30 * ago).status for ago in range(10, 0, -1)] == ["ok"] * 10
    after = [film.look(at + 10 + 5 * number).status for number in range(6)]
    assert after[:2] == ["ok", "ok"]
    assert after[-1] == status
    assert set(after) == {"ok", status}
    # Well again: two looks, and no sooner.
    assert [film.look(at - 20 + 5 * number).status for number in range(3)] == [status, "ok", "ok"]


def test_a_plate_is_told_once_it_has_stood_for_long() -> None:
    film = Looked("no_video_clock")
    at = film.coder.film.fault_at
    assert at is not None
    for ago in range(10, 0, -1):
        film.look(at - 30 * ago)
    told = {second: film.look(at + 10 + second).status for second in range(0, int(PLATE_S) + 60, 30)}
    assert {status for second, status in told.items() if second < PLATE_S} == {"ok"}
    assert told[max(told)] == "no_stream"


@pytest.mark.parametrize("kind", ["lamps", "clouds"])
def test_light_and_traffic_are_no_faults(kind: str) -> None:
    film = Looked(kind)
    assert {film.look(17.5 * 3600 + 20 * number).status for number in range(24)} == {"ok"}
