"""The flag by which a process is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from inspector.signals import StopFlag, stop_on_signals

HELD_UP = """
import threading
from concurrent.futures import ThreadPoolExecutor
from inspector.signals import exit_at_once

ThreadPoolExecutor().submit(threading.Event().wait)
exit_at_once(3)
"""


def test_everyone_who_waits_for_the_flag_is_woken() -> None:
    stop = StopFlag()
    assert not stop.wait(0)
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(stop.wait(30))) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert seen == [True] * 3
    assert stop.is_set()
    assert stop.wait()
    assert stop.times == 1
    stop.set()
    assert stop.times == 2


def test_a_signal_raises_the_flag_while_it_is_waited_for() -> None:
    stop = StopFlag()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop_on_signals(stop)
    killer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    killer.start()
    try:
        assert stop.wait(30)
    finally:
        killer.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_thread_that_waits_for_ever_holds_up_no_exit() -> None:
    assert subprocess.run([sys.executable, "-c", HELD_UP], timeout=60).returncode == 3
