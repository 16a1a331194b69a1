"""R30: some makes want user and password in the path. Whoever shows an address shows it without them."""

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.engine.rtsp.login_in_path import holds_login, masked
from custom_components.facility_cameras.engine.rtsp.url import parse_url


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/user=admin_password=S3cret_channel=1_stream=0.sdp?real_stream", "/user=***"),
        ("/user=admin&password=S3cret&channel=1&stream=0.sdp?", "/user=***"),
        ("/11?channel=1&user=admin&password=S3cret", "/11?channel=1&user=***"),
        ("/live?password=S3cret&user=admin", "/live?password=***"),
        ("/videostream.asf?loginuse=admin&loginpas=S3cret", "/videostream.asf?loginuse=***"),
        ("/cam?subtype=0&authbasic=UzNjcmV0", "/cam?subtype=0&authbasic=***"),
        ("/cam?adminPwd=S3cret", "/cam?adminPwd=***"),
        ("/a?USER%3dadmin%26PASSWORD%3dS3cret", "/a?USER%3d***"),
        ("/a?pwd=S3&S3cret_S3=cret/S3cret?S3cret", "/a?pwd=***"),
    ],
)
def test_r30_log_ins_in_the_path_are_not_shown(path: str, shown: str) -> None:
    assert holds_login(path)
    assert masked(path) == shown
    assert masked(f"rtsp://10.0.0.5:8554{path}") == f"rtsp://10.0.0.5:8554{shown}"
    url, _, _ = parse_url(f"rtsp://10.0.0.5:8554{path}")
    assert url.shown == shown
    assert str(url).endswith(path), "what is sent is what was given"


@pytest.mark.parametrize(
    "path",
    ["/cam/realmonitor?channel=1&subtype=0", "/Streaming/Channels/101", "/users/1", "/live?password=", "", "/password"],
)
def test_others_are_shown_as_they_are(path: str) -> None:
    assert not holds_login(path)
    assert masked(path) == path


@given(st.text(max_size=40), st.sampled_from(["user", "password", "pwd", "token"]), st.text(min_size=1, max_size=40))
def test_nothing_behind_a_login_is_shown(before: str, name: str, secret: str) -> None:
    shown = masked(f"/{before}&{name}={secret}")
    assert shown.endswith("***")
    assert len(shown) <= len(f"/{before}&{name}=***")
    assert masked(shown) == shown
