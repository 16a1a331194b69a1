"""The least that recording can cost in Python: `python -m benchmarks.record_floor FOLDER URL…`, until SIGTERM.

Each socket is read every 200 ms in one large read, and what came is written to a file every two seconds. No frame is
looked at.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
import sys

from custom_components.facility_cameras.engine.rtsp.auth import Authenticator
from custom_components.facility_cameras.engine.rtsp.connection import Connection
from custom_components.facility_cameras.engine.rtsp.url import parse_url


async def play(address: str) -> tuple[Connection, Callable[[], None]]:
    """The shortest dialogue that makes one of our simulated cameras send; and what keeps its session alive."""
    url, user, password = parse_url(address)
    connection = await Connection.connect(url)
    login = Authenticator(user, password)
    session: dict[str, str] = {}
    answer = await connection.request("DESCRIBE", str(url), {})
    login.challenged(answer.headers.get("www-authenticate", []))
    steps: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("DESCRIBE", str(url), {}),
        ("SETUP", f"{url}/trackID=0", {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}),
        ("PLAY", str(url), {"Range": "npt=0.000-"}),
    )
    for method, target, headers in steps:
        if method == "SETUP":
            control = [line[10:] for line in answer.body.decode().splitlines() if line.startswith("a=control:")]
            target = control[-1] if control[-1].startswith("rtsp") else f"{url}/{control[-1]}"
        signed = {"Authorization": login.header(method, target) or ""}
        answer = await connection.request(method, target, {**headers, **session, **signed})
        if answer.header("session"):
            session = {"Session": answer.header("session").partition(";")[0]}

    def keep_alive() -> None:
        signed = {"Authorization": login.header("OPTIONS", str(url)) or ""}
        connection.send_request("OPTIONS", str(url), {**session, **signed})

    return connection, keep_alive


async def main() -> None:
    """Read and write for ever."""
    sessions = [await play(address) for address in sys.argv[2:]]
    files = [(Path(sys.argv[1]) / f"{number}.bin").open("wb", buffering=0) for number in range(len(sessions))]
    held: list[list[bytes]] = [[] for _ in sessions]
    rounds = 0
    while True:
        await asyncio.sleep(0.2)
        rounds += 1
        for (connection, keep_alive), parts, file in zip(sessions, held, files, strict=True):
            if rounds % 100 == 0:
                keep_alive()
            parts.append(connection.read())
            if rounds % 10 == 0:
                file.write(b"".join(parts))
                parts.clear()


if __name__ == "__main__":
    asyncio.run(main())
