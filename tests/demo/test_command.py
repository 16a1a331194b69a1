"""What the demo says when it cannot begin: one sentence, and nothing is left running."""

from pathlib import Path
import socket
import subprocess
import sys

from demo.site import HOST

_ROOT = Path(__file__).parents[2]


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *arguments], cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        done = _demo("--folder", str(tmp_path / "demo"), "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == f"demo: Port {port} is used by another program. Choose another one with --port.\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = _demo("--folder", str(tmp_path / "file" / "demo"))
    assert done.returncode == 1
    assert done.stderr == f"demo: The folder {tmp_path / 'file' / 'demo'} cannot be used: Not a directory.\n"


def test_reset_deletes_nothing_that_no_demo_made(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    done = _demo("--folder", str(tmp_path), "--reset")
    assert done.returncode == 1
    assert done.stderr == f"demo: {tmp_path} holds letters, which no demo made; nothing was deleted.\n"
    assert (tmp_path / "letters").is_dir()


def test_a_number_of_cameras_that_is_none(tmp_path: Path) -> None:
    done = _demo("--folder", str(tmp_path / "demo"), "--cameras", "0")
    assert done.returncode == 1
    assert done.stderr == "demo: --cameras is a number from 1 to 32.\n"
