"""The demo's choice of cameras and ports, kept from run to run."""

from pathlib import Path
import socket

import pytest

from demo.problem import DemoError
from demo.site import CLIP_FRAMES, HOST, MOST_CAMERAS, site_of
from simulator.sitefile import read


def test_a_later_run_finds_the_same_cameras(tmp_path: Path) -> None:
    first = site_of(tmp_path / "site.json", None)
    assert site_of(tmp_path / "site.json", None) == first
    assert len(first.cameras) == 6
    assert len(first.facilities()) == 2
    assert {camera.codec for camera in first.cameras} == {"h264", "h265"}


def test_more_cameras_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    first = site_of(tmp_path / "site.json", 3)
    more = site_of(tmp_path / "site.json", MOST_CAMERAS)
    assert more.cameras[:3] == first.cameras
    assert more.control_port == first.control_port
    names = {(camera.facility, camera.name) for camera in more.cameras}
    ports = {port for camera in more.cameras for port in (camera.rtsp_port, camera.http_port)}
    assert len(names) == MOST_CAMERAS
    assert len(ports) == 2 * MOST_CAMERAS


def test_fewer_cameras_are_refused_in_a_sentence(tmp_path: Path) -> None:
    site_of(tmp_path / "site.json", 4)
    with pytest.raises(DemoError, match=r"set up with 4 cameras.*--reset"):
        site_of(tmp_path / "site.json", 2)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    site = site_of(tmp_path / "site.json", 1)
    site.check_ports()
    with socket.socket() as other:
        other.bind((HOST, site.cameras[0].rtsp_port))
        other.listen()
        with pytest.raises(DemoError, match=f"Port {site.cameras[0].rtsp_port}.*--reset"):
            site.check_ports()


def test_the_simulator_understands_the_cameras(tmp_path: Path) -> None:
    site = site_of(tmp_path / "site.json", None)
    site.write_specs(tmp_path / "cameras.json")
    specs = read(tmp_path / "cameras.json")
    assert len({spec.name for spec in specs}) == len(site.cameras)
    assert {spec.streams[0].video.frames for spec in specs} == {CLIP_FRAMES}
