"""What `script/bench soak` measures of a process."""

import os
from pathlib import Path
import threading

from benchmarks.soak import Held, at_rest


def test_handles_and_threads_of_a_process_are_counted(tmp_path: Path) -> None:
    before = Held.of(os.getpid())
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
            during = Held.of(os.getpid())
    finally:
        ended.set()
        thread.join()
    assert during.handles - before.handles == 2
    assert during.threads - before.threads == 1
    assert during.memory_kb > 0


def test_at_rest_the_fewest_handles_count_and_the_usual_memory() -> None:
    seen = [Held(12, 5, 900), Held(10, 6, 1000), Held(11, 5, 5000)]
    assert at_rest(seen) == Held(10, 5, 1000)
