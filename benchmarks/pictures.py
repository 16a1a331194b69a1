"""How true the picture checks are, and what they cost: `script/bench pictures [--quick] [--tune] [--kind NAME]`.

Long scenes of the simulator (docs/picture-checks.md) are played to the engine's examiner on a clock that leaps. Odd
seeds, which nobody tuned by; with `--tune` even ones. The cost is that of the worker for 64 cameras of 1080p.
"""

import argparse
import asyncio
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
import json
import os
from pathlib import Path
import tempfile

import psutil

from benchmarks.played_film import SETTINGS, FilmClock, Played, play, push_group, stream_format
from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.picture.examiner import Examiner
from simulator.film_coder import Key, camera
from simulator.film_kinds import FAULTS, HARMLESS, KINDS

DAY_S, HOUR_S = 86_400.0, 3600.0
#: Films of each harmless kind and of each fault; how long a harmless one is, and how long all is well before a fault.
DAYS, FILMS, BEFORE_S = 2, 4, 2 * HOUR_S
QUICK_BEFORE_S = 900.0
#: Of the days, in the quick benchmark, only an hour and a half, with dusk in it.
QUICK_BEGIN_S, QUICK_LENGTH_S = 17.25 * HOUR_S, 1.5 * HOUR_S

CAMERAS, DISTANCE_S, PICTURES = 64, 2.0, 49
#: New cameras are looked at more often; then so long is measured.
SETTLED_S, MEASURED_S = 180.0, 180.0
CPU_FILMS, CPU_KEYS = 4, 8


def measure(
    *, quick: bool = False, tune: bool = False, kinds: Iterable[str] = KINDS
) -> tuple[list[Played], dict[str, float]]:
    """Each film, and all figures."""
    odd = 0 if tune else 1
    tasks = []
    # The long ones first.
    for kind in sorted(kinds, key=lambda kind: kind in FAULTS):
        films = 1 if quick else FILMS if kind in FAULTS else DAYS
        begin, length = (QUICK_BEGIN_S, QUICK_LENGTH_S) if quick else (0.0, DAY_S)
        if kind in FAULTS:
            begin, length = 0.0, QUICK_BEFORE_S if quick else BEFORE_S
        tasks += [(kind, 2 * number + odd, begin, length) for number in range(films)]
    cpu_percent = asyncio.run(_cpu_percent(odd))
    with ProcessPoolExecutor(os.process_cpu_count()) as pool:
        films_played = list(pool.map(play, *zip(*tasks, strict=True)))
    return films_played, {**judged(films_played), "picture_cpu_percent": round(cpu_percent, 2)}


def judged(films: list[Played]) -> dict[str, float]:
    """The figures of these films."""
    faults = [film for film in films if film.truth]
    days = sum(film.harmless_s for film in films) / DAY_S
    found = sorted(film.found_s for film in faults if film.found_s is not None)
    return {
        "found_share": round(len(found) / len(faults), 4) if faults else 1.0,
        "false_alarms_per_100_camera_days": round(sum(len(film.false) for film in films) / max(days, 1e-9) * 100, 2),
        "camera_days": round(days, 2),
        "picture_p95_s": round(found[min(len(found) - 1, int(0.95 * len(found)))], 1) if found else 0.0,
    }


async def _cpu_percent(odd: int) -> float:
    """CPU time of the worker that judges 64 cameras of 1080p, per cent of one core, at the interval that it keeps."""
    kinds = HARMLESS[:: len(HARMLESS) // CPU_FILMS][:CPU_FILMS]
    coders = [camera(odd + 2 * number, kind, 1920, 1080) for number, kind in enumerate(kinds)]
    keys = [[coder.key_picture(10 * HOUR_S + DISTANCE_S * number) for number in range(CPU_KEYS)] for coder in coders]
    sizes = [[coder.between(10 * HOUR_S)[0]] * PICTURES for coder in coders]
    clock = FilmClock(10 * HOUR_S)
    with tempfile.TemporaryDirectory(prefix="films-") as folder:
        examiner = Examiner(Path(folder), clock)
        feeds = [Feed() for _ in range(CAMERAS)]
        for number, feed in enumerate(feeds):
            feed.begin(stream_format(keys[number % CPU_FILMS][0], 1920, 1080))
            examiner.add(f"camera-{number}", feed, SETTINGS)
        try:
            await _look(examiner, clock, feeds, keys, sizes, SETTLED_S)
            (worker,) = psutil.Process().children()
            before = worker.cpu_times()
            looks = examiner.figures()["looks"]
            await _look(examiner, clock, feeds, keys, sizes, MEASURED_S)
            after = worker.cpu_times()
            looks = examiner.figures()["looks"] - looks
            every_s = examiner.figures()["every_s"]
        finally:
            await examiner.close()
    spent = after.user + after.system - before.user - before.system
    print(f"{CAMERAS} cameras: a look every {every_s:.0f} s, {1000 * spent / max(looks, 1):.1f} ms each, {looks} looks")
    return 100 * spent / MEASURED_S


async def _look(
    examiner: Examiner,
    clock: FilmClock,
    feeds: list[Feed],
    keys: list[list[Key]],
    sizes: list[list[int]],
    seconds: float,
) -> None:
    """Send and look for so long."""
    end = clock.second + seconds
    while clock.second < end:
        group = round(clock.second / DISTANCE_S)
        for number, feed in enumerate(feeds):
            film = number % len(keys)
            push_group(feed, clock.monotonic(), [keys[film][group % CPU_KEYS].nals], sizes[film])
        following = clock.second + DISTANCE_S
        while clock.second < following:
            clock.second = min(following, clock.second + await examiner.step())


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="an hour and a half of each kind, one film of each fault")
    parser.add_argument("--tune", action="store_true", help="the seeds that checks may be tuned by")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this kind (may be given again)")
    asked = parser.parse_args()
    films, found = measure(quick=asked.quick, tune=asked.tune, kinds=asked.kind or KINDS)
    print(f"{'kind':18} {'days':>6} {'looks':>7} {'failed':>6} {'false':>5} {'found':>7} {'median':>7} {'longest':>8}")
    for kind in dict.fromkeys(film.kind for film in films):
        played = [film for film in films if film.kind == kind]
        times = sorted(film.found_s for film in played if film.found_s is not None)
        print(
            f"{kind:18} {sum(film.harmless_s for film in played) / DAY_S:6.2f} {sum(film.looks for film in played):7}"
            f" {sum(film.failed for film in played):6} {sum(len(film.false) for film in played):5}"
            + (f" {len(times):3}/{len(played):<3}" if played[0].truth else "")
            + (f" {times[len(times) // 2]:6.0f}s {times[-1]:7.0f}s" if times else "")
        )
    for film in films:
        said = [f"{status} at {second:.0f}" for second, status in (*film.false, *film.wrong)]
        if said or (film.truth and film.found_s is None):
            missed = " not found" if film.truth and film.found_s is None else ""
            print(f"{film.kind} seed {film.seed}:{missed} {', '.join(said)}".rstrip())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
