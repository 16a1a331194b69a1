"""The ONVIF library is heavy: it is imported and its files are read in a thread, never in the event loop's."""

import asyncio
from pathlib import Path
import sys

from tests.onvif_cameras import StartCamera

_SCRIPT = """
import sys, threading
import custom_components.facility_cameras.onvif_camera as onvif_camera
print("imported", [name for name in ("zeep", "onvif", "lxml") if name in sys.modules])
where = set()

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("zeep", "onvif", "lxml", "requests", "httpx"):
            where.add(threading.current_thread() is threading.main_thread())

def audit(event, arguments):
    if event == "open" and str(arguments[0]).endswith((".wsdl", ".xsd", ".py", ".pyc")):
        where.add(threading.current_thread() is threading.main_thread())

async def main():
    device = await onvif_camera.read_device(sys.argv[1], "admin", sys.stdin.readline().strip())
    print("read", device.name)

sys.meta_path.insert(0, Watch())
import asyncio, concurrent.futures.thread, encodings.idna, stringprep, aiohttp.connector
sys.addaudithook(audit)
asyncio.run(main())
print("in the event loop", True in where, "in a thread", False in where)
"""


async def test_nothing_of_the_library_is_loaded_in_the_event_loop(start_camera: StartCamera) -> None:
    started = await start_camera()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SCRIPT,
        started.address,
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(f"{started.camera.password}\n".encode())
    assert out.decode().splitlines() == [
        "imported []",
        "read Gate camera",
        "in the event loop False in a thread True",
    ], err.decode()
