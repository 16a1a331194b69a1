"""Any bytes end in an answer or one documented error."""

from hypothesis import example, given, strategies as st
import pytest

from custom_components.facility_cameras.onvif_camera.answer import (
    Element,
    FaultedError,
    NotSoapError,
    RefusedError,
    parse,
    read_answer,
)
from custom_components.facility_cameras.onvif_camera.clock import clock_offset, http_clock_offset
from custom_components.facility_cameras.onvif_camera.media import read_media1, read_media2
from custom_components.facility_cameras.onvif_camera.transport import Reply

NAMES = ["Envelope", "Body", "Fault", "Profiles", "Reason", "Uri", "Configurations", "VideoEncoder", "Date", "Year"]


def soap(body: str) -> bytes:
    return f"<e:Envelope><e:Body>{body}</e:Body></e:Envelope>".encode()


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """XML made of the names that matter, whole or broken."""
    parts = draw(st.lists(st.sampled_from([*(f"<{n}>" for n in NAMES), *(f"</{n}>" for n in NAMES), "x", "&", "1"])))
    return "".join(parts).encode()


@given(st.one_of(st.binary(), documents(), documents().map(lambda body: soap(body.decode()))), st.integers(100, 599))
@example(b'<?xml version="1.0" encoding="utf-16"?><a/>', 200)
@example(b'<?xml version="1.0" encoding="zip"?><a/>', 200)
@example(b"\xff\xfe<\x00a\x00/\x00>\x00", 200)
def test_any_bytes(content: bytes, status: int) -> None:
    try:
        answer = read_answer(Reply(status, content))
    except NotSoapError, RefusedError, FaultedError:
        return
    read_media1(answer)
    read_media2(answer)
    clock_offset(answer, Reply(status, content))


@given(st.text())
def test_any_date(date: str) -> None:
    http_clock_offset(Reply(200, b"", date))


@pytest.mark.parametrize(
    "content",
    [
        b"<a>" * 100,
        b"<a/>" * 3,
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<r>" + b"<a/>" * 60_000 + b"</r>",
        b"<a" + b" b='c'" * 2 + b"/>",
        b"",
    ],
)
def test_what_is_not_read(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"not well-formed|too many elements|declarations"):
        parse(content)


def test_o11_text_in_the_encoding_it_says() -> None:
    named = '<?xml version="1.0" encoding="GB2312"?><a>海康</a>'.encode("gb2312")
    assert parse(named) == Element("a", content="海康")


@pytest.mark.parametrize(
    ("words", "locked", "attempts"),
    [
        ("Sender not Authorized", False, ""),
        ("The username or password is wrong, 3 attempts left", False, "3"),
        ("Login failed. Remaining attempts: 2", False, "2"),
        ("User is locked, try again in 30 minutes", True, ""),
        ("Wrong password, 1 attempt left before the account is locked", False, "1"),
        ("Too many login failures", True, ""),
    ],
)
def test_o9_refusals_in_words(words: str, *, locked: bool, attempts: str) -> None:
    fault = soap(f"<e:Fault><e:Reason><e:Text>{words}</e:Text></e:Reason></e:Fault>")
    with pytest.raises(RefusedError) as caught:
        read_answer(Reply(500, fault))
    assert (caught.value.locked, caught.value.attempts) == (locked, attempts)


def test_a_fault_keeps_the_cameras_words_short() -> None:
    fault = soap(f"<e:Fault><e:Reason><e:Text>{'no ' * 500}</e:Text></e:Reason></e:Fault>")
    with pytest.raises(FaultedError) as caught:
        read_answer(Reply(500, fault))
    assert len(caught.value.reason) == 200


def test_o17_profiles_without_a_token_or_without_video_are_none() -> None:
    answer = parse(
        b"<r><Profiles token='a'/><Profiles><VideoEncoderConfiguration/></Profiles>"
        b"<Profiles token='c'><VideoEncoderConfiguration><Encoding>MPV4-ES</Encoding><Resolution><Width>-4</Width>"
        b"</Resolution></VideoEncoderConfiguration></Profiles></r>"
    )
    [profile] = read_media1(answer)
    assert (profile.token, profile.name, profile.codec, profile.width) == ("c", "c", "mpeg4", 0)
