"""Pictures kept as evidence: found again by their id alone, after a restart too, and bounded."""

from pathlib import Path

import pytest

from custom_components.facility_cameras.engine import evidence
from custom_components.facility_cameras.engine.evidence import AGE_US, Evidence

DAY_US = 86_400_000_000


def test_both_pictures_come_back_after_a_restart_too(tmp_path: Path) -> None:
    identity = Evidence(tmp_path / "evidence").keep("camera", 5, b"before", b"after")
    again = Evidence(tmp_path / "evidence")
    assert again.picture(identity, "before") == b"before"
    assert again.picture(identity, "after") == b"after"
    without = again.keep("camera", 6, b"", b"after")
    assert again.picture(without, "before") is None
    assert again.picture(without, "after") == b"after"


@pytest.mark.parametrize("identity", ["", "../../engine.json", "0" * 24, "*", "x" * 10_000])
def test_an_id_is_looked_up_and_never_a_path(tmp_path: Path, identity: str) -> None:
    (tmp_path / "engine.json").write_text("{}")
    kept = Evidence(tmp_path / "evidence")
    known = kept.keep("../camera", 5, b"before", b"after")
    assert kept.picture(identity, "before") is None
    assert kept.picture(known, "../before") is None
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["evidence"]


def test_one_camera_does_not_push_out_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "OF_CAMERA_MAX", 3)
    kept = Evidence(tmp_path)
    calm = kept.keep("calm", 1, b"b", b"a")
    wild = [kept.keep("wild", 2 + number, b"b", b"a") for number in range(5)]
    assert kept.picture(calm, "after") == b"a"
    assert [kept.picture(one, "after") for one in wild] == [None, None, b"a", b"a", b"a"]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(("bound", "most"), [("NUMBER_MAX", 3), ("BYTES_MAX", 3 * 6 + 1)])
def test_the_oldest_go_where_it_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(evidence, bound, most)
    kept = Evidence(tmp_path)
    every = [kept.keep(f"camera-{number}", number, b"b", b"a") for number in range(5)]
    assert [kept.picture(one, "after") for one in every] == [None, None, b"a", b"a", b"a"]
    assert len(list(tmp_path.iterdir())) == 3
    assert [Evidence(tmp_path).picture(one, "after") for one in every] == [None, None, b"a", b"a", b"a"]


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    kept = Evidence(tmp_path)
    old = kept.keep("camera", 0, b"b", b"a")
    young = kept.keep("camera", DAY_US, b"b", b"a")
    kept.keep("camera", AGE_US + 1, b"b", b"a")
    assert kept.picture(old, "after") is None
    assert kept.picture(young, "after") == b"a"


def test_a_picture_too_large_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too large"):
        Evidence(tmp_path).keep("camera", 0, b"", bytes(2 << 20))
    assert list(tmp_path.iterdir()) == []
