"""What cameras write: addresses, messages, challenges, session descriptions. Any input ends in a result or one error."""

import base64
import hashlib
from urllib.parse import quote

from hypothesis import example, given, strategies as st
import pytest

from custom_components.facility_cameras.engine.rtsp import auth
from custom_components.facility_cameras.engine.rtsp.auth import Authenticator, parse_challenges
from custom_components.facility_cameras.engine.rtsp.message import (
    BODY_BYTES,
    HEAD_BYTES,
    MessageError,
    find_head,
    parse_head,
    write_request,
)
from custom_components.facility_cameras.engine.rtsp.sdp import ATTRIBUTES, MEDIA, parameter_sets, parse_sdp
from custom_components.facility_cameras.engine.rtsp.url import base_url, control_url, parse_url, with_host

# Addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port", "path", "user", "password"),
    [
        ("rtsp://10.0.0.5/live", "10.0.0.5", 554, "/live", "", ""),
        ("RTSP://cam.local:8554", "cam.local", 8554, "", "", ""),
        ("rtsp://[fd00::1]:554/a", "fd00::1", 554, "/a", "", ""),
        ("rtsp://a:b@h/p?x=1&y=/2#t", "h", 554, "/p?x=1&y=/2", "a", "b"),
        ("rtsp://admin:p@ss@h/p", "h", 554, "/p", "admin", "p@ss"),
        ("rtsp://admin:p/ss@h:80/p", "h", 80, "/p", "admin", "p/ss"),
        ("rtsp://admin:p:ss@h/p", "h", 554, "/p", "admin", "p:ss"),
        ("rtsp://admin:p%40%2F@h/p", "h", 554, "/p", "admin", "p@/"),
        ("rtsp://admin:@h/p", "h", 554, "/p", "admin", ""),
        ("rtsp://h/cam@2/x", "h", 554, "/cam@2/x", "", ""),
        ("rtsp://h:554/cam@2", "h", 554, "/cam@2", "", ""),
        ("rtsp://h?channel=1", "h", 554, "?channel=1", "", ""),
        ("rtsp://h/a b", "h", 554, "/a%20b", "", ""),
    ],
)
def test_addresses(text: str, host: str, port: int, path: str, user: str, password: str) -> None:
    url, found_user, found_password = parse_url(text)
    assert (url.host, url.port, url.path, found_user, found_password) == (host, port, path, user, password)
    assert password not in str(url) or not password


@pytest.mark.parametrize(
    "text", ["", "http://h/", "rtsp://", "rtsp:///p", "rtsp://h:0/", "rtsp://h:99999/", "rtsp://h\n/"]
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_url(text)


@given(st.text(max_size=200))
@example("rtsp://h:٣/")
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    for candidate in (text, f"rtsp://{text}"):
        try:
            url, _, _ = parse_url(candidate)
        except ValueError:
            continue
        again, user, password = parse_url(str(url))
        assert (again.host, again.port, user, password) == (url.host, url.port, "", "")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
)
def test_escaped_log_ins_come_back(password: str, user: str) -> None:
    url, found_user, found = parse_url(f"rtsp://{quote(user, safe='')}:{quote(password, safe='')}@10.0.0.1:554/a/b")
    assert (found_user, found) == (user, password)
    assert str(url) == "rtsp://10.0.0.1/a/b"


def test_r5_controls_are_joined_as_text() -> None:
    assert control_url("rtsp://h/a?b=1", "track1") == "rtsp://h/a?b=1/track1"
    assert control_url("rtsp://h/a/", "/track1") == "rtsp://h/a/track1"
    assert control_url("rtsp://h/a", "*") == control_url("rtsp://h/a", None) == "rtsp://h/a"
    assert control_url("rtsp://h/a", "rtsp://x/y") == "rtsp://x/y"


def test_r6_r7_bases() -> None:
    url, _, _ = parse_url("rtsp://h:8554/a")
    assert with_host("rtsp://192.168.1.1:554/a/t1?x", url) == "rtsp://h:8554/a/t1?x"
    assert base_url(url, "/b/", None) == "rtsp://h:8554/b/"
    assert base_url(url, "nonsense", "rtsp://x/y") == "rtsp://x/y"
    assert base_url(url, None, "") == "rtsp://h:8554/a"


# Messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"RTSP/1.0 200 OK", b"RTSP/1.0 200", b"RTSP/1.0 200 ", b"RTSP/2.0  200 \xff"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_r1_r2_r4_answers(line: bytes, end: bytes) -> None:
    head = end.join((line, b"Cseq:   7 ", b"SESSION:\t abc ;timeout=60", b"x", b"", b""))
    assert find_head(head + b"rest") == len(head)
    message = parse_head(head)
    assert (message.status, message.sequence) == (200, 7)
    assert message.header("session") == "abc ;timeout=60"


@given(st.binary(max_size=600))
def test_any_head_is_a_message_or_a_message_error(data: bytes) -> None:
    for candidate in (data, b"RTSP/1.0 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            end = find_head(candidate)
            if end < 0:
                continue
            message = parse_head(candidate[:end])
            _ = message.sequence
            length = message.body_length
        except MessageError:
            continue
        assert length is None or 0 <= length <= BODY_BYTES


def test_heads_and_bodies_are_bounded() -> None:
    with pytest.raises(MessageError):
        find_head(b"RTSP/1.0 200 OK\r\n" + b"a: b\r\n" * HEAD_BYTES)
    with pytest.raises(MessageError):
        _ = parse_head(b"RTSP/1.0 200 OK\r\nContent-Length: 999999\r\n\r\n").body_length


@given(st.dictionaries(st.sampled_from(["A", "B"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)))
def test_a_header_value_never_makes_another_header(headers: dict[str, str]) -> None:
    written = write_request("OPTIONS", "rtsp://h/", 1, headers)
    assert written.count(b"\r\n") <= 3 + len(headers)
    assert parse_head(written).header("injected") == ""


# Challenges ------------------------------------------------------------------------------------------------------


def test_digest_of_rfc_2617(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{auth.__name__}.secrets.token_hex", lambda _: "0a4f113b")
    login = Authenticator("Mufasa", "Circle Of Life")
    assert login.challenged(
        [
            (
                'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
                'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
            )
        ]
    )
    header = login.header("GET", "/dir/index.html") or ""
    assert 'response="6629fae49393a05397450978507c4ef1"' in header
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in header
    assert "nc=00000001" in header
    assert "nc=00000002" in (login.header("GET", "/dir/index.html") or "")


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_of_rfc_7616(monkeypatch: pytest.MonkeyPatch, algorithm: str, response: str) -> None:
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    monkeypatch.setattr(f"{auth.__name__}.secrets.token_hex", lambda _: cnonce)
    login = Authenticator("Mufasa", "Circle of Life")
    nonce, opaque = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
    assert login.challenged(
        [f'Digest realm="http-auth@example.org", qop="auth", algorithm={algorithm}, nonce="{nonce}", opaque="{opaque}"']
    )
    assert f'response="{response}"' in (login.header("GET", "/dir/index.html") or "")


def test_digest_without_qop() -> None:
    login = Authenticator("u", "ü:@/")
    assert login.challenged(['Digest realm="r", nonce="n"'])

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    wanted = md5(f"{md5('u:r:ü:@/')}:n:{md5('DESCRIBE:rtsp://h/')}")
    header = login.header("DESCRIBE", "rtsp://h/") or ""
    assert f'response="{wanted}"' in header
    assert "qop" not in header
    assert "algorithm" not in header


def test_r9_best_of_several_challenges_joined_or_apart() -> None:
    values = [
        'Basic realm="a, Digest b", Digest realm="x", nonce="1", algorithm=MD5',
        "Digest realm=y, nonce=2, algorithm=SHA-256",
    ]
    for given_values in (values, [", ".join(values)]):
        assert [(each.scheme, each.algorithm) for each in parse_challenges(given_values)] == [
            ("basic", "md5"), ("digest", "md5"), ("digest", "sha-256"),
        ]  # fmt: skip
        login = Authenticator("u", "p")
        assert login.challenged(given_values)
        assert 'realm="y"' in (login.header("A", "b") or "")


def test_r11_a_sloppy_challenge() -> None:
    (found,) = parse_challenges(['digest  realm="IP [cam] \\"x\\"" ,nonce = abc,  stale="FALSE",qop="auth-int , auth"'])
    assert (found.realm, found.nonce, found.stale, found.qop) == ('IP [cam] "x"', "abc", False, "auth")


def test_a_wrong_password_is_signed_once() -> None:
    login = Authenticator("u", "p")
    assert login.challenged(['Digest realm="r", nonce="1"'])
    login.header("DESCRIBE", "rtsp://h/")
    assert not login.challenged(['Digest realm="r", nonce="2"'])
    assert not login.challenged(['Basic realm="r"'])


def test_r12_a_stale_nonce_is_no_wrong_password() -> None:
    login = Authenticator("u", "p")
    assert login.challenged(['Digest realm="r", nonce="1"'])
    login.header("DESCRIBE", "rtsp://h/")
    assert login.challenged(['Digest realm="r", nonce="2", stale=true'])


def test_basic_in_utf8() -> None:
    login = Authenticator("ü", "₫:@")
    assert login.challenged(["Basic realm=x"])
    assert base64.b64decode((login.header("A", "b") or "").split(" ")[1]).decode() == "ü:₫:@"


@given(st.lists(st.text(max_size=120), max_size=4), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_challenge_ends_in_a_header_or_none(values: list[str], password: str) -> None:
    for prefix in ("", "Digest ", "Basic "):
        login = Authenticator("u", password)
        login.challenged([prefix + value for value in values])
        header = login.header("DESCRIBE", "rtsp://h/")
        assert header is None or header.startswith(("Digest ", "Basic "))


# Session descriptions --------------------------------------------------------------------------------------------


@given(st.binary(max_size=800))
def test_any_session_description_is_read(body: bytes) -> None:
    for candidate in (body, b"m=video 0 RTP/AVP 96\r\n" + body, b"a=" + body.replace(b" ", b"\na=")):
        description = parse_sdp(candidate)
        assert len(description.media) <= MEDIA
        for media in description.media:
            for payload in media.payloads:
                parameter_sets(payload)


@given(st.lists(st.sampled_from([
    b"m=video 0 RTP/AVP 96", b"m=audio 0 RTP/AVP 0 97", b"m=", b"m=video", b"a=rtpmap:96 H264/90000", b"a=rtpmap:97 MPEG4-GENERIC/",
    b"a=fmtp:96 sprop-parameter-sets=Z0,,x;=;;A", b"a=control:", b"a=control:track=1", b"a=rtpmap:", b"a=fmtp:x y", b"a=rtpmap:35 H265/1",
]), max_size=80))  # fmt: skip
def test_lines_in_any_order(lines: list[bytes]) -> None:
    description = parse_sdp(b"\n".join(lines))
    for media in description.media:
        for payload in media.payloads:
            assert payload.clock >= 0
            parameter_sets(payload)


def test_s6_three_lines_are_enough() -> None:
    (media,) = parse_sdp(b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000").media
    assert media.payloads[0].codec == "h264"


def test_a_codec_is_a_name_and_nothing_else() -> None:
    for hostile in (b"{{ states('x') }}", b"![](http:", b"<img src=x>", b"x" * 33, b""):
        (media,) = parse_sdp(b"m=video 0 RTP/AVP 96\na=rtpmap:96 " + hostile + b"/90000").media
        assert media.payloads[0].codec in ("?", "")


def test_bounds() -> None:
    body = b"\n".join([b"m=video 0 RTP/AVP 96"] * 100 + [b"a=fmtp:96 k%d=v" % number for number in range(500)])
    description = parse_sdp(body)
    assert len(description.media) == MEDIA
    assert len(parse_sdp(b"m=video 0 RTP/AVP 96\n" + body[-6000:]).media[0].payloads[0].parameters) <= ATTRIBUTES
