"""Passwords that break careless software work both ways, and none is ever seen in a log or an error (promise I9)."""

import base64
import logging
from urllib.parse import quote

import pytest

from custom_components.facility_cameras.onvif_camera import OnvifCause, OnvifError
from simulator.spec import CameraSpec
from tests.onvif_cameras import StartCamera

NASTY = [
    "slash/inside",
    "at@sign",
    "co:lon",
    "#hash",
    "100%",
    "%41bc",
    "what?",
    "a&b=c",
    "two words",
    " blanks around ",
    "über",
    "tiền ₫ đồng",
    "'single'",
    '"double"',
    "back\\slash",
    "<xml>&amp;</xml>",
    "]]>",
    "$(sh) `x` ;|",
    "日本語🎥",
    "x" * 128,
    "+plus+",
    "p@ss:w/o rd#?%&=ü₫\"'<>",
]


@pytest.mark.parametrize("way", ["O9", "O9-digest"])
@pytest.mark.parametrize("password", NASTY)
async def test_nasty_passwords(
    start_camera: StartCamera, caplog: pytest.LogCaptureFixture, password: str, way: str
) -> None:
    caplog.set_level(logging.DEBUG)
    username = 'người dùng "1"' if password.startswith("p@ss") else "admin"
    started = await start_camera(way, spec=CameraSpec(name="Gate", username=username, password=password))
    assert (await started.read()).serial
    assert started.service.lock.failures == 0
    with pytest.raises(OnvifError) as caught:
        await started.read(f"{password}!")
    assert caught.value.cause is OnvifCause.PASSWORD_WRONG
    told = caplog.text + repr(caught.value) + repr(caught.value.placeholders)
    for form in (password, quote(password), quote(password, safe=""), base64.b64encode(password.encode()).decode()):
        assert form not in told
