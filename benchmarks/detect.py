"""How soon Home Assistant shows what happened to a camera, and that it shows nothing else.

64 simulated cameras at addresses of their own, set up through the dialogues of a real Home Assistant with the real engine.
First nothing happens, and what the recorder writes is counted. Then each camera has a few faults, at times drawn from a
seed. When they were is told by the simulator, when they were shown by Home Assistant's states. A fault that is not
found counts with the time that it lasted. Connections that are cut and made again at once are to show nothing.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from statistics import median
import tempfile
import time
from typing import Any
import urllib.parse

import aiohttp

from demo import engine as demo_engine, login
from demo.client import Client
from demo.home_assistant import HomeAssistant
from demo.set_up import DOMAIN, Added, added, set_up
from demo.site import HOST, PASSWORD, USERNAME, DemoCamera, Site, free_ports

from .fault_plan import Kind, Planned, plan
from .home_states import STATISTICS_A_DAY, HomeStates, rows_a_day, rows_written
from .restart import simulated, until_shown
from .truth_and_states import Judgement, entries, judge, p95

#: As a fault of the picture is found, its kind gets a row here, with the figure "picture".
KINDS = (
    Kind("gone", "refused", "refused", (18.0, 24.0)),
    Kind("silent", "unreachable", "silent", (20.0, 24.0), frozenset({"stalled"})),
    Kind("stalled", "stalled", "stall", (18.0, 24.0)),
    Kind("cut", None, "", (0.0, 0.0)),
)
#: A camera recovers and is healthy again in this time, seconds.
REST_S = 20.0
#: After the last fault, until all is as it was.
END_S = 15.0
#: The recorder writes what it has every 5 s.
WRITTEN_S = 10.0
SMALL = {"width": 320, "height": 180, "fps": 10, "kbps": 100, "gop": 20, "seconds": 8}
#: Cameras share so many pictures.
SCENES = 4


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. Times in seconds."""

    cameras: int
    #: After the last camera was added: what is told once of a new one is told. Then what is counted: Home Assistant gives
    #: its cameras new addresses every 5 minutes, so it is those.
    settle_s: float
    calm_s: float
    faults_each: int
    seconds: float


FULL = Size(64, 100.0, 300.0, 4, 520.0)
QUICK = Size(8, 0.0, 20.0, 2, 92.0)


class SmallCamera(DemoCamera):
    """A camera with an address of its own and pictures that cost little."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """Its own address on loopback: what goes together with others says that they share a host."""
        return f"127.1.0.{int(self.name.rpartition(' ')[2])}"

    @property
    def address(self) -> str:
        """What is typed into the dialogue."""
        return f"rtsp://{self.host}:{self.rtsp_port}/main"

    def spec(self) -> dict[str, Any]:
        """The camera as the simulator is told of it."""
        return {
            "name": self.name,
            "scene": f"scene {self.rtsp_port % SCENES}",
            "host": self.host,
            "username": USERNAME,
            "password": PASSWORD,
            "rtsp_port": self.rtsp_port,
            "streams": [{"name": "main", "path": "main", "video": SMALL}],
        }


def site_of(count: int) -> Site:
    """So many small cameras in two facilities."""
    ports = free_ports(count + 1)
    return Site(
        ports[0],
        tuple(
            SmallCamera(
                f"Facility {1 + number * 2 // count}", f"Camera {number + 1}", "yard", "h264", port, 0, by_url=True
            )
            for number, port in enumerate(ports[1:])
        ),
    )


async def inject(control: str, planned: list[Planned]) -> list[Mapping[str, object]]:
    """Inject each fault at its time through the simulator's control service, and wait until all is as it was. Returns
    the simulator's log of truth. Raises aiohttp.ClientError.
    """
    async with aiohttp.ClientSession() as session:
        began = time.monotonic()
        for fault in planned:
            await asyncio.sleep(max(began + fault.at_s - time.monotonic(), 0.0))
            path = f"{control}/cameras/{urllib.parse.quote(fault.camera)}/faults/{fault.kind.fault}"
            async with session.post(path, json={"seconds": fault.seconds} if fault.seconds else {}) as answer:
                answer.raise_for_status()
        over = began + max(fault.at_s + fault.seconds for fault in planned)
        await asyncio.sleep(max(over - time.monotonic(), 0.0) + END_S)
        async with session.get(f"{control}/truth") as answer:
            answer.raise_for_status()
            told = await answer.json()
    return list(told["entries"])


async def until_online(client: Client, cameras: list[Added]) -> None:
    """Wait until Home Assistant shows every camera online. Raises TimeoutError."""
    wanted = {each.entities["status"] for each in cameras}
    async with asyncio.timeout(120):
        while True:
            states = await client.get("/api/states")
            if wanted <= {state["entity_id"] for state in states if state["state"] == "online"}:
                return
            await asyncio.sleep(0.5)


async def our_entities(client: Client) -> dict[str, str]:
    """Every entity of the integration, and what it is: its platform and its key."""
    known = await client.call("config/entity_registry/list")
    return {
        entity["entity_id"]: f"{entity['entity_id'].partition('.')[0]} {entity['unique_id'].partition('_')[2]}"
        for entity in known
        if entity["platform"] == DOMAIN
    }


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found: `rows` and `statistics` are rows a day in the recorder's database, by kind of entity."""

    judgement: Judgement
    rows: Mapping[str, int]
    statistics: Mapping[str, int]


async def measure(folder: Path, size: Size, seed: int) -> Found:
    """Set up, let nothing happen, inject faults."""
    site = site_of(size.cameras)
    home_assistant = HomeAssistant(folder / "home_assistant", free_ports(1)[0])
    home_assistant.prepare()
    try:
        async with simulated(folder, site), home_assistant.running():
            token = (await login.log_in(home_assistant.url))["access_token"]
            async with Client(home_assistant.url, token) as client:
                await login.finish_onboarding(client)
                await set_up(client, site, folder / "footage")
                await until_shown(client, site)
                cameras = await added(client, site)
                await until_online(client, cameras)
                names = {each.entities["status"]: each.camera.name for each in cameras}
                states = HomeStates(names)
                async with states.listening(home_assistant.url, token):
                    await asyncio.sleep(size.settle_s)
                    rows, statistics = await count_rows(client, home_assistant.folder, size.calm_s)
                    planned = plan(seed, [*names.values()], KINDS, size.faults_each, size.seconds, REST_S)
                    truth = await inject(f"http://{HOST}:{site.control_port}", planned)
                    until = time.monotonic()
                return Found(judge(entries(truth, KINDS), states.shown, until), rows, statistics)
    finally:
        await demo_engine.end(home_assistant.folder)


async def count_rows(client: Client, config: Path, seconds: float) -> tuple[Counter[str], Counter[str]]:
    """Rows a day in the recorder's database by kind of entity, of states as in these seconds, and of statistics. Raises
    sqlite3.Error.
    """
    ours = await our_entities(client)
    known = await client.call("recorder/list_statistic_ids")
    statistics: Counter[str] = Counter()
    for kind in (ours[each["statistic_id"]] for each in known if each["statistic_id"] in ours):
        statistics[kind] += STATISTICS_A_DAY
    began = time.time()
    await asyncio.sleep(seconds)
    ended = time.time()
    await asyncio.sleep(WRITTEN_S)
    written = await asyncio.to_thread(rows_written, config / "home-assistant_v2.db", began, ended)
    rows: Counter[str] = Counter()
    for state in await client.get("/api/states"):
        if state["entity_id"] in ours and state["entity_id"] in written:
            unit = state["attributes"].get("unit_of_measurement", "")
            rows[ours[state["entity_id"]]] += round(
                rows_a_day(written[state["entity_id"]], seconds, state["state"], unit)
            )
    return rows, statistics


def figures(found: Found, cameras: int) -> dict[str, float]:
    """What is measured against its bound. A figure that was not measured is not there."""
    judgement = found.judgement
    times = {f"{figure}_p95_s": p95(values) for figure, values in judgement.took.items()}
    if judgement.recovered:
        times["recovery_p95_s"] = p95(judgement.recovered)
    return {
        **{name: round(value, 2) for name, value in times.items()},
        "found_share": round(1 - len(judgement.missed) / judgement.faults, 4),
        "false_changes": len(judgement.false),
        "recorder_rows_per_camera_day": round(sum(found.rows.values()) / cameras, 1),
        "statistics_rows_per_camera_day": round(sum(found.statistics.values()) / cameras, 1),
    }


def tell(found: Found, size: Size) -> None:
    """Print what the figures are made of."""
    judgement = found.judgement
    print(f"\n{size.cameras} cameras, {judgement.faults} faults that are to be found")
    print(f"{'':32}{'count':>8}{'median':>10}{'p95':>10}{'worst':>10}")
    for name, values in {**judgement.took, "recovery": judgement.recovered}.items():
        row = "".join(f"{value:>10.2f}" for value in (median(values), p95(values), max(values)))
        print(f"{name:32}{len(values):>8}{row} s")
    for fault in judgement.missed:
        print(f"not found: {fault.kind.fault} of {fault.camera}, {fault.ended - fault.began:.1f} s long")
    for state in judgement.false:
        print(f"nothing explains: {state.camera} was shown {state.status} at {state.at:.2f}")
    print(f"\nrows a day in the recorder, all cameras, as in {size.calm_s:.0f} calm seconds")
    print(f"{'':44}{'states':>10}{'statistics':>12}")
    for kind in sorted(found.rows.keys() | found.statistics.keys()):
        print(f"{kind:44}{found.rows.get(kind, 0):>10}{found.statistics.get(kind, 0):>12}")
    print()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="script/bench detect", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws the times of the faults (1)")
    parser.add_argument("--quick", action="store_true", help="8 cameras")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="facility-cameras-", dir=Path.home()) as folder:
        found = asyncio.run(measure(Path(folder), size, options.seed))
    tell(found, size)
    print(json.dumps(figures(found, size.cameras)))


if __name__ == "__main__":
    main()
