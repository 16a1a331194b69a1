"""Addresses are pasted in every state; a password never stays inside."""

from urllib.parse import quote

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.pasted_address import take_apart, without_login

NASTY = [
    "p/w",
    "p@w",
    "p:w",
    "p#w",
    "p%w",
    "p?w",
    "p&w",
    " ",
    "pü₫",
    "'\"",
    "x" * 128,
    "100%",
    "%41",
    "a@b/c@d",
    "a://b",
]


@pytest.mark.parametrize("password", NASTY)
def test_encoded(password: str) -> None:
    url, username, found = take_apart(f"rtsp://admin:{quote(password, safe='')}@10.0.0.9:8554/live/main?x=1")
    assert (str(url), username, found) == ("rtsp://10.0.0.9:8554/live/main?x=1", "admin", password)


@pytest.mark.parametrize("password", [word for word in NASTY if word != "%41"])
def test_as_it_is(password: str) -> None:
    url, username, found = take_apart(f"rtsp://admin:{password}@10.0.0.9/main")
    assert (str(url), username, found) == ("rtsp://10.0.0.9/main", "admin", password)


@pytest.mark.parametrize(
    "address", ["rtsp://", "rtsp://@", "rtsp://a:b@", "rtsp:///main", "rtsp://h:99999/x", "rtsp://h:x/"]
)
def test_no_addresses(address: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        take_apart(address)


def test_others_are_left_alone() -> None:
    assert take_apart("rtsp://cam.local:554/a@b/main")[0].path == "/a@b/main"
    assert take_apart("rtsp://[fe80::1]:554/x")[0].host == "fe80::1"


def test_r30_an_at_in_the_path_is_no_log_in() -> None:
    url, username, password = take_apart("rtsp://admin:x@10.0.0.9/user=admin_password=p@q_channel=1")
    assert (str(url), username, password) == ("rtsp://10.0.0.9/user=admin_password=p@q_channel=1", "admin", "x")


@pytest.mark.parametrize("password", NASTY)
@pytest.mark.parametrize("scheme", ["rtsp://", "http://", ""])
def test_a_text_is_shown_again_without_its_log_in(scheme: str, password: str) -> None:
    assert without_login(f"{scheme}admin:{password}@10.0.0.9:99999/main") == f"{scheme}10.0.0.9:99999/main"
    assert without_login(f"{scheme}10.0.0.9/main") == f"{scheme}10.0.0.9/main"


@given(st.text(max_size=60))
def test_any_text_ends_in_an_address_or_a_value_error(text: str) -> None:
    try:
        url, _, _ = take_apart(f"rtsp://{text}")
    except ValueError:
        return
    assert url.host
    assert not url.user
    assert not url.password
