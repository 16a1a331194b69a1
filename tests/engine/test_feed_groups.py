"""What a feed keeps for those who begin to look: whole groups, enough of them, and never too much."""

from hypothesis import given, settings, strategies as st

from custom_components.facility_cameras.engine.feed import GROUP_BYTES, PROBED_PICTURES, Feed
from custom_components.facility_cameras.engine.media import Sample, StreamFormat, VideoFormat

STREAM = StreamFormat(VideoFormat("h264", 320, 240, "avc1.640028", (b"\x67\x64\x00\x28",), (b"\x68",)))


@settings(max_examples=300, deadline=None)
@given(
    groups=st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from([100, 100_000, GROUP_BYTES // 3, GROUP_BYTES * 2])), max_size=12
    ),
    audio=st.booleans(),
)
def test_the_newest_groups_are_kept_whole(groups: list[tuple[int, int]], audio: bool) -> None:
    feed = Feed()
    feed.begin(STREAM)
    pushed: list[Sample] = []
    for others, size in groups:
        for number in range(others + 1):
            for sound in (False, True) if audio else (False,):
                sample = Sample(
                    time=len(pushed), received=0, size=10 if sound else size, key=number == 0 and not sound, audio=sound
                )
                pushed.append(sample)
                feed.push(sample)
                kept = [kept for group in (*feed.before, feed.group) for kept in group]
                assert kept == (pushed[-len(kept) :] if kept else [])
                assert all(group[0].key for group in (*feed.before, feed.group) if group)
                assert sum(one.size for one in kept) <= GROUP_BYTES
                pictures = [sum(not one.audio for one in group) for group in (*feed.before[1:], feed.group)]
                assert not feed.before or sum(pictures) < PROBED_PICTURES
    feed.end()
    assert not feed.group
    assert not feed.before


def test_short_groups_are_kept_until_there_are_enough_pictures() -> None:
    feed = Feed()
    feed.begin(STREAM)
    for number in range(100):
        feed.push(Sample(time=number, received=0, size=100, key=number % 10 == 0))
        kept = sum(map(len, feed.before)) + len(feed.group)
        assert kept >= min(number + 1, PROBED_PICTURES)
