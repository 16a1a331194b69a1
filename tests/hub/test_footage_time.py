"""Days, hours and searched times in a facility's zone, also where the clock is changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.footage_search import find_times
from custom_components.facility_cameras.footage_time import (
    US,
    Interval,
    async_zone,
    clock,
    clocks,
    day_of,
    hours_of,
    local,
    moment,
)

SAIGON, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")
#: 11:00 in Viet Nam.
NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)])
def test_days_have_the_hours_they_have(day: date, hours: int) -> None:
    interval = day_of(BERLIN, day)
    assert interval is not None
    assert interval.end - interval.start == hours * 3600
    found = list(hours_of(interval))
    assert len(found) == hours
    assert local(BERLIN, interval.start * US).date() == day
    assert local(BERLIN, interval.end * US).date() == day + timedelta(days=1)
    titles = [clocks(BERLIN, hour.start * US, hour.end * US) for hour in found]
    assert len(set(titles)) == hours, "two hours of a day are told apart"


def test_the_hour_that_comes_twice_says_which_it_is() -> None:
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1, 2)]
    assert [clock(BERLIN, round(moment.timestamp()) * US) for moment in twice] == [
        "02:30 (UTC+02:00)",
        "02:30 (UTC+01:00)",
        "03:30",
    ]


def test_what_begins_on_one_day_and_ends_on_another_names_both() -> None:
    start = round(datetime(2026, 11, 23, 16, 55, tzinfo=UTC).timestamp()) * US
    assert clocks(SAIGON, start, start + 300 * US) == "23:55 – 00:00"
    assert clocks(SAIGON, start, start + 600 * US) == "23/11 23:55 – 24/11 00:05"


@pytest.mark.parametrize(
    "text", ["", "-", "1", "5-4", "0-99999999999", "-1-5", "1-2-3", "a-b", "٣-٤", f"{'9' * 5000}-1"]
)
def test_what_is_no_time(text: str) -> None:
    assert Interval.parse(text) is None


def test_days_that_no_clock_shows() -> None:
    assert day_of(SAIGON, date.max) is None
    assert day_of(SAIGON, date.min) is None


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31 23:59:59", "1969-12-31", "2200-01-02"])
@pytest.mark.parametrize("zone", [SAIGON, ZoneInfo("America/New_York")])
def test_times_that_no_footage_can_be_of(text: str, zone: ZoneInfo) -> None:
    given = datetime.fromisoformat(text)
    with pytest.raises(ServiceValidationError) as refused:
        moment(given, zone)
    assert refused.value.translation_key == "time_unusable"
    assert refused.value.translation_placeholders == {"time": given.isoformat(" ", "seconds")}


def test_a_time_without_a_zone_is_of_the_facilitys_clocks() -> None:
    assert moment(datetime.fromisoformat("2026-11-25 11:00"), SAIGON) == NOW
    assert moment(NOW.astimezone(BERLIN), SAIGON) == NOW


async def test_a_facility_has_a_zone_of_its_own_or_home_assistants(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    for data, zone in (({}, "Europe/Berlin"), ({"time_zone": "Asia/Ho_Chi_Minh"}, "Asia/Ho_Chi_Minh")):
        assert str(await async_zone(MockConfigEntry(domain=DOMAIN, data=data))) == zone
    # One that this machine does not know any more.
    assert str(await async_zone(MockConfigEntry(domain=DOMAIN, data={"time_zone": "Mars/Phobos"}))) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-23 14:30", "2026-11-23 14:30:00"),
        ("2026-11-23T14:30:05", "2026-11-23 14:30:05"),
        ("2026-11-23", "2026-11-23 00:00:00"),
        ("23/11/2026 14:30:15", "2026-11-23 14:30:15"),
        ("23/11 14:30", "2026-11-23 14:30:00"),
        ("23.11 14:30", "2026-11-23 14:30:00"),
        ("14:30 23/11", "2026-11-23 14:30:00"),
        ("26/11 10:00", "2025-11-26 10:00:00"),  # has not been yet this year
        ("29/2 10:00", "2024-02-29 10:00:00"),
        ("10:30", "2026-11-25 10:30:00"),
        ("14:30", "2026-11-24 14:30:00"),  # has not been yet today
        ("14h30", "2026-11-24 14:30:00"),
        ("14h", "2026-11-24 14:00:00"),
        ("14 giờ 30 phút", "2026-11-24 14:30:00"),
        ("14h30p hôm kia", "2026-11-23 14:30:00"),
        ("hôm qua 14:30", "2026-11-24 14:30:00"),
        ("HÔM QUA, LÚC 14H30", "2026-11-24 14:30:00"),
        ("hom nay 9:05", "2026-11-25 09:05:00"),
        ("ngày 23/11 lúc 14:30", "2026-11-23 14:30:00"),
        ("yesterday at 2:30 pm", "2026-11-24 14:30:00"),
        ("12:05 am", "2026-11-25 00:05:00"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    (moment,) = find_times(text, SAIGON, NOW)
    assert moment.tzinfo is UTC
    assert f"{moment.astimezone(SAIGON):%Y-%m-%d %H:%M:%S}" == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gate",
        "14",
        "25:00",
        "10:61",
        "31/2 10:00",
        "13:00 pm",
        "gate 14:30",
        "9" * 70,
        "14:30" * 900,
        "1/1/0000 1:00",
    ],
)
def test_what_means_no_time(text: str) -> None:
    assert not find_times(text, SAIGON, NOW)


def test_a_time_belongs_to_the_day_that_is_browsed() -> None:
    (moment,) = find_times("14:30", SAIGON, NOW, date(2026, 11, 3))
    assert moment == datetime(2026, 11, 3, 7, 30, tzinfo=UTC)


def test_times_where_the_clock_is_changed() -> None:
    assert find_times("25/10/2026 2:30", BERLIN, NOW) == [
        datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)
    ]
    # 02:30 was skipped: what the clock showed instead.
    assert find_times("29/3/2026 2:30", BERLIN, NOW) == [datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]
