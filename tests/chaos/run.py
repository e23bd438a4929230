"""The chaos run: the same videos inspected twice, in peace and in a war; both must find the same."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click
from botocore.exceptions import BotoCoreError, ClientError

from tests.acceptance.machine import BUCKET
from tests.chaos.agenda import Agenda
from tests.chaos.faults import WEIGHTS, Battlefield
from tests.chaos.house import LEASE_S, PATIENCE_S, House
from tests.chaos.recovery import JOBS, Recovery, quantile
from tests.chaos.results import (
    Results,
    connections,
    differences,
    left_over,
    left_over_at_rest,
    not_found,
    read_results,
    stored_twice,
)
from tests.chaos.videos import copies_of, make_videos
from tests.services import wait_until

_TICK_S: Final = 0.1
_LONGEST: Final = 2.0  # times the war's planned length
_BREATH_S: Final = 0.25  # between two faults, at the least: a busy machine lags behind the plan
_SAY_EVERY_S: Final = 30.0
_FINAL: Final = ("done", "rejected", "failed", "removed")
REST_S: Final = 300.0  # for one more video to come to rest when nothing is disturbed any more
BOUND_S: Final = LEASE_S + 30  # within which a killed worker's job must run elsewhere, while a worker lives
#: ... and whoever else has died meanwhile: a silent connection is given up after 75 s, and a supervisor
#: starts its workers anew after 30 s at the most.
LONGEST_S: Final = BOUND_S + 75 + 30


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it. faults: as many are to strike.  war_s: in this time, at the most."""

    seed: int
    videos: int
    faults: int
    war_s: float
    only: tuple[str, ...] = tuple(WEIGHTS)


@dataclass(slots=True)
class Report:
    """What came of it. problems: all that is not as promised; none is what we want."""

    plan: Plan
    struck: Counter[str]
    took_s: dict[str, list[float]]
    problems: list[str]
    videos: int
    pairs: int
    states: Counter[str]
    peace_s: float
    war_s: float

    def __str__(self) -> str:
        lines = [
            f"seed {self.plan.seed}: {self.videos} videos, {self.pairs} pairs, {self.struck.total()} faults; "
            f"{self.peace_s:.0f} s in peace, {self.war_s:.0f} s in the war",
            "  ended as: " + ", ".join(f"{n} {state}" for state, n in sorted(self.states.items())),
            *(f"  {count:5} × {name}" for name, count in sorted(self.struck.items())),
        ]
        for name, values in sorted((name, values) for name, values in self.took_s.items() if values):
            lines.append(
                f"  {name}: {len(values)} times, p50 {quantile(values, 0.5):.1f} s, "
                f"p99 {quantile(values, 0.99):.1f} s, longest {max(values):.1f} s"
            )
        kinds = Counter(problem.split(": ", 1)[0] for problem in self.problems)
        verdict = ", ".join(
            f"{kinds[kind]} {kind}" for kind in ("lost", "stuck", "stored twice", "different")
        )
        return "\n".join(
            [*lines, f"  {verdict}", *(f"  PROBLEM {problem[:300]}" for problem in self.problems[:50])]
        )


def chaos(plan: Plan, folder: Path) -> Report:
    """Make the videos, inspect them in peace, inspect them in a war, and compare."""
    rng = random.Random(plan.seed)
    place = folder / "videos"
    place.mkdir()
    files = make_videos(place, plan.videos, rng)
    final = {f"{n % 7}/{n:03}{path.suffix}": path for n, path in enumerate(files)}
    began = time.monotonic()
    with _said_where_it_fails(folder / "peace"), House(folder / "peace") as house:
        expected = _inspect_in_peace(house, final)
    keys = list(final)
    missed = not_found(expected, ((keys[film], keys[copy]) for film, copy in copies_of(files)))
    ended = time.monotonic()
    with _said_where_it_fails(folder / "war"), House(folder / "war") as house:
        war = _War(plan, house, final, rng)
        war.fight()
        problems = [f"different: {what}" for what in missed] + war.find_problems(expected)
        problems += [f"left behind: {what}" for what in _ask_to_leave(house)]
    return Report(
        plan=plan,
        struck=war.field.struck,
        took_s=war.recovery.took_s,
        problems=problems,
        videos=len(final),
        pairs=sum(len(video["duplicates"]) for video in expected.values()) // 2,
        states=Counter(str(video["status"]) for video in expected.values()),
        peace_s=ended - began,
        war_s=time.monotonic() - ended,
    )


def _inspect_in_peace(house: House, files: dict[str, Path]) -> Results:
    recovery = Recovery(house)
    for key, path in files.items():
        house.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    _wait_for_rest(recovery, set(files), lambda: None)
    return read_results(house)


def _wait_for_rest(recovery: Recovery, keys: set[str], meanwhile: Callable[[], None]) -> bool:
    """Wait until every video is final, or no more become so. Returns whether all are."""
    most, deadline = 0, time.monotonic() + REST_S
    while time.monotonic() < deadline:
        meanwhile()
        recovery.look()
        final = sum(state in _FINAL for state in recovery.states.values())
        if keys <= recovery.states.keys() and final == len(recovery.states):
            return True
        if final > most:
            most, deadline = final, time.monotonic() + REST_S
        time.sleep(_TICK_S)
    return False


class _War:
    """Uploads and faults, side by side, in one thread."""

    def __init__(self, plan: Plan, house: House, final: dict[str, Path], rng: random.Random) -> None:
        self._plan = plan
        self._house = house
        self._final = final
        self._rng = rng
        self.recovery = Recovery(house)
        self.field = Battlefield(house, rng, Agenda(), [])
        self.field.on_kill = self.recovery.killed
        self.field.on_back = self.recovery.back
        self._uploads = Agenda()
        self._restarts = 0
        self._said_at = time.monotonic()

    def fight(self) -> None:
        """Upload everything, let the faults strike, and wait until all has come to rest."""
        self._plan_uploads()
        names = list(self._plan.only)
        weights = [WEIGHTS[name][1] for name in names]
        began, next_s = time.monotonic(), 0.0
        while self._goes_on(fought_s := time.monotonic() - began):
            share = min(fought_s / self._plan.war_s, 1)
            if fought_s > next_s and self.field.struck.total() < 1.1 * share * self._plan.faults:
                next_s = fought_s + _BREATH_S
                self.field.strike(self._rng.choices(names, weights)[0])
            self._look_after()
            self._say_how_it_goes()
            time.sleep(_TICK_S)
        self._make_peace()
        _wait_for_rest(self.recovery, set(self._final), self._look_after)
        wait_until(self._house.machine.web.answers, timeout_s=PATIENCE_S)

    def _goes_on(self, fought_s: float) -> bool:
        """Until all is uploaded and enough has struck; on a busy machine that takes longer than planned."""
        enough = self.field.struck.total() >= self._plan.faults
        return bool(self._uploads) or not (enough or fought_s > _LONGEST * self._plan.war_s)

    def _plan_uploads(self) -> None:
        """Each key gets its file some time; before that, some get others, or are deleted."""
        files = list(self._final.values())
        for key, path in self._final.items():
            at_s = self._rng.uniform(0, 0.75 * self._plan.war_s)
            for _ in range(self._rng.choice((0, 0, 0, 1, 2))):
                before_s = self._rng.uniform(0, at_s)
                other = self._rng.choice((*files, None))
                self._uploads.after(before_s, partial(self._put, key, other))
            self._uploads.after(at_s, partial(self._put, key, path))

    def _put(self, key: str, path: Path | None) -> None:
        """Store or delete; as often as it takes, since people would, too."""
        try:
            if "aws" in self.field.down:
                raise BotoCoreError
            if path is None:
                self._house.s3.delete_object(Bucket=BUCKET, Key=key)
            else:
                self._house.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
                self.field.keys.append(key)
        except (BotoCoreError, ClientError):
            if path is None or path == self._final[key]:
                self._uploads.after(1.0, partial(self._put, key, path))

    def _look_after(self) -> None:
        self.field.agenda.catch_up()
        self._uploads.catch_up()
        self.field.collect()
        self.recovery.look()
        if not self._house.inspector_runs():  # as whoever runs it would
            self._restarts += 1
            self._house.start_inspector()

    def _say_how_it_goes(self) -> None:
        if time.monotonic() - self._said_at > _SAY_EVERY_S:
            self._said_at = time.monotonic()
            states = dict(Counter(self.recovery.states.values()))
            click.echo(f"{self.field.struck.total()} faults; {states}", err=True)

    def _make_peace(self) -> None:
        """Let no more faults strike, and end those that still do."""
        for place in self.field.laid:
            place.unlink(missing_ok=True)
        while self.field.agenda:
            self._look_after()
            time.sleep(_TICK_S)
        self._replace_what_the_emulator_lost()

    def _replace_what_the_emulator_lost(self) -> None:
        """It does not sync what it takes: after a kill an object may be gone that it had confirmed."""
        s3 = self._house.s3
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        sizes = {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", ())}
        for key, path in self._final.items():
            if sizes.get(key) != path.stat().st_size:
                self.field.struck["objects that the emulator lost itself"] += 1
                s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    def find_problems(self, expected: Results) -> list[str]:
        stuck = [k for k, state in self.recovery.states.items() if state not in _FINAL]
        problems = [f"stuck: {key} is {self.recovery.states[key]}" for key in stuck]
        found = read_results(self._house)
        problems += [f"lost: {key}" for key in expected.keys() - found.keys()]
        problems += [f"stored twice: {what}" for what in stored_twice(self._house)]
        problems += [f"different: {what}" for what in differences(found, expected)]
        late = [seconds for seconds in self.recovery.waited_s if seconds > BOUND_S]
        problems += [f"late: a job waited {seconds:.1f} s beside another worker" for seconds in late]
        late = [seconds for seconds in self.recovery.took_s[JOBS] if seconds > LONGEST_S]
        problems += [f"late: a job waited {seconds:.1f} s in all" for seconds in late]
        left = left_over_at_rest(self._house, patience_s=PATIENCE_S)
        problems += [f"scratch: {path}" for path in left]
        return problems


def _ask_to_leave(house: House) -> list[str]:
    """Stop the inspector. Returns what is left of it: processes, connections, files."""
    house.end_commands()
    house.stop_inspector()
    left = [str(path) for path in left_over(house)] + house.left_behind()
    if count := connections(house):
        left.append(f"{count} connections to the database")
    return left


@contextmanager
def _said_where_it_fails(folder: Path) -> Iterator[None]:
    """Keep the log of a run that fails."""
    try:
        yield
    except BaseException:
        log = folder / "inspector.log"
        if log.exists():
            click.echo(f"the end of {log}:\n" + "\n".join(log.read_text().splitlines()[-30:]), err=True)
        raise
