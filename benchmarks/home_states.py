"""What Home Assistant shows, as whoever looks at its page sees it: every change of state, by web socket.

And what its recorder wrote about our entities meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
import contextlib
from pathlib import Path
import sqlite3
import time

import aiohttp

from .truth_and_states import Shown

DAY_S = 86_400
#: A figure with a `state_class` has a row of statistics every 5 minutes and every hour, whatever happens.
STATISTICS_A_DAY = 288 + 24


class HomeStates:
    """The states of some entities, from a time on. `shown` are the changes, by the names that the entities were given."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names` has a name for every entity that is listened to."""
        self._names = names
        self.shown: list[Shown] = []
        self._last: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def listening(self, url: str, token: str) -> AsyncIterator[None]:
        """Listen while the block lasts. Raises TimeoutError if Home Assistant does not take it, and what ended the
        listening early.
        """
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, connect=10)) as session,
            session.ws_connect(f"{url}/api/websocket", max_msg_size=0, heartbeat=30) as socket,
        ):
            async with asyncio.timeout(30):
                await socket.receive_json()
                await socket.send_json({"type": "auth", "access_token": token})
                await socket.receive_json()
                await socket.send_json(
                    {
                        "id": 1,
                        "type": "subscribe_trigger",
                        "trigger": [{"trigger": "state", "entity_id": [*self._names]}],
                    }
                )
                if not (answer := await socket.receive_json())["success"]:
                    raise RuntimeError(f"Home Assistant does not tell of its states: {answer['error']}")
            reading = asyncio.create_task(self._read(socket))
            try:
                yield
            finally:
                if not reading.done():
                    reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            at = time.monotonic()
            trigger = message.json()["event"]["variables"]["trigger"]
            camera, status = self._names[trigger["entity_id"]], str(trigger["to_state"]["state"])
            # An attribute may have changed and nothing else.
            if status != self._last.get(camera, str(trigger["from_state"]["state"])):
                self._last[camera] = status
                self.shown.append(Shown(camera, status, at))
        raise RuntimeError("Home Assistant tells of its states no longer")


def rows_written(database: Path, since: float, until: float) -> dict[str, int]:
    """How many states of each entity the recorder wrote between these two times (seconds since 1970). Raises
    sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        return dict(
            connection.execute(
                "SELECT states_meta.entity_id, count(*) FROM states JOIN states_meta USING (metadata_id)"
                " WHERE last_updated_ts >= ? AND last_updated_ts < ? GROUP BY states_meta.entity_id",
                (since, until),
            ).fetchall()
        )


def rows_a_day(rows: int, seconds: float, state: str, unit: str) -> float:
    """How many states a day has of which these seconds had so many. In calm a share (unit %) only rises, in steps as
    small as its last decimal: of a camera that was added just now it does so every minute, but not for a day.
    """
    if unit != "%":
        return rows * DAY_S / seconds
    try:
        missing = 100.0 - float(state)
    except ValueError:
        # Not known: whatever it is when it is, it was not.
        return rows * DAY_S / seconds
    steps = missing * 10.0 ** len(state.partition(".")[2])
    return min(rows * DAY_S / seconds, rows + steps)
