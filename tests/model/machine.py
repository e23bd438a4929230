"""The model: people, a bucket, events that go astray and workers that die, around the real store.

Every step is compared with the moment before: whatever has changed must have been somebody's right to change.
Source: the rules stand in docs/reliability.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import text

from inspector.errors import (
    BucketUnavailable,
    Interrupted,
    QueueUnavailable,
    ScratchFull,
    ToolKilled,
)
from inspector.events import parse_message
from inspector.model import ObjectEvent, ObjectState, State
from inspector.settings import Settings
from inspector.store import Database
from inspector.worker.dead_letters import DeadLetters
from inspector.worker.ingest import Ingest, same_object
from inspector.worker.sweep import Sweep
from tests.model import films
from tests.model.bucket import LetterBox, MemoryBucket
from tests.model.rows import Row, take_picture
from tests.model.worker import Killed, PausedWorker

KEYS: Final = ("a.mp4", "b.mp4", "c.mp4")
WORKERS: Final = 3
FAULTS: Final[tuple[type[BaseException], ...]] = (
    Killed, ToolKilled, BucketUnavailable, ScratchFull, Interrupted, RuntimeError,
)  # fmt: skip
_ROUNDS: Final = 40  # in which all must come to rest

keys = st.sampled_from(KEYS)
positions = st.integers(0, 30)


class World(RuleBasedStateMachine):
    """Rules are what may happen; `changing` says who may change what."""

    def __init__(self, db: Database, settings: Settings) -> None:
        super().__init__()
        self.db = db
        self.settings = settings
        with db.begin() as tx:
            tx.execute(text("TRUNCATE videos, contents, landmarks, matches, sweeps, workers CASCADE"))
        self.before = take_picture(db)
        self.tokens: set[str] = set()

    @initialize(versioned=st.booleans(), sequenced=st.booleans(), punctual=st.booleans())
    def furnish(self, versioned: bool, sequenced: bool, punctual: bool) -> None:
        """punctual: the workers' own clocks run, so that they may notice that their lease has run out."""
        self.bucket = MemoryBucket(versioned, sequenced)
        self.letters = LetterBox()
        self.punctual = punctual
        self.ingest = Ingest(self.db, self.bucket, self.settings)
        self.sweep = Sweep(self.db, self.bucket, self.ingest, self.settings)
        self.dead_letters = DeadLetters(self.db, self.letters, self.settings)
        self.workers = [self.hire() for _ in range(WORKERS)]

    def hire(self) -> PausedWorker:
        def clock() -> float:
            return self.bucket.now_s if self.punctual else 0.0

        return PausedWorker(self.db, self.bucket, self.ingest, self.settings, clock)

    @property
    def busy(self) -> list[PausedWorker]:
        return [worker for worker in self.workers if worker.lease is not None]

    @property
    def idle(self) -> list[PausedWorker]:
        return [worker for worker in self.workers if worker.lease is None]

    # ------------------------------------------------------------ people

    @rule(key=keys, body=st.sampled_from(films.BODIES), told=st.booleans())
    def upload(self, key: str, body: bytes, told: bool) -> None:
        """told: the event arrives at once."""
        self.bucket.store(key, body)
        if told:
            self.deliver(-1, again=False)

    @rule(key=keys, told=st.booleans())
    def delete(self, key: str, told: bool) -> None:
        if key in self.bucket.contents():
            self.bucket.erase(key)
            if told:
                self.deliver(-1, again=False)

    @rule(key=keys)
    def delete_the_delete_marker(self, key: str) -> None:
        self.bucket.restore(key)

    @rule()
    def forget_or_remember_all_objects(self) -> None:
        """An emulator comes back with an empty bucket, and later with its data."""
        self.bucket.forgetful = not self.bucket.forgetful

    # ------------------------------------------------------------ events: in any order, twice, or never

    @precondition(lambda self: self.bucket.events)
    @rule(position=positions, again=st.booleans())
    def deliver(self, position: int, again: bool) -> None:
        position %= len(self.bucket.events)
        event = self.bucket.events[position]
        if not again:
            del self.bucket.events[position]
        with self.changing(looked_at={event.key}, event=event):
            self.ingest.look_at(event.key, event)

    @precondition(lambda self: self.bucket.events)
    @rule(position=positions)
    def lose(self, position: int) -> None:
        del self.bucket.events[position % len(self.bucket.events)]

    @precondition(lambda self: self.letters.bodies)
    @rule(position=positions)
    def redrive(self, position: int) -> None:
        (event,) = parse_message(self.letters.bodies[position % len(self.letters.bodies)])
        with self.changing(looked_at={event.key}, event=event):
            self.ingest.look_at(event.key, event)

    # ------------------------------------------------------------ workers

    @precondition(lambda self: self.idle and any(r.unfinished for r in self.before.videos.values()))
    @rule(position=positions)
    def claim(self, position: int) -> None:
        claimable = {k for k, r in self.before.videos.items() if self.is_claimable(r)}
        with self.changing(claimed=claimable):
            lease = self.idle[position % len(self.idle)].start()
        assert (lease is not None) == bool(claimable)

    @precondition(lambda self: self.busy)
    @rule(position=positions, steps=st.integers(1, 8))
    def work(self, position: int, steps: int) -> None:
        worker = self.busy[position % len(self.busy)]
        for _ in range(steps):
            self.let_go(worker, None)

    @precondition(lambda self: self.busy)
    @rule(position=positions, fault=st.sampled_from(FAULTS))
    def fail(self, position: int, fault: type[BaseException]) -> None:
        """Something breaks, or the worker dies, where it stands."""
        worker = self.busy[position % len(self.busy)]
        self.let_go(worker, fault("by the model"))
        if fault is Killed:
            self.workers[self.workers.index(worker)] = self.hire()

    def let_go(self, worker: PausedWorker, fault: BaseException | None) -> None:
        lease = worker.lease
        if lease is None:
            return
        row = self.before.videos[lease.key]
        owns = row.token == lease.token
        with self.changing(owned={lease.key} if owns else set(), looked_at={lease.key}):
            worker.go(fault)
            if not owns:
                after = take_picture(self.db)
                assert (after.contents, after.pairs) == (self.before.contents, self.before.pairs)

    @precondition(lambda self: self.busy)
    @rule(position=positions)
    def beat(self, position: int) -> None:
        worker = self.busy[position % len(self.busy)]
        with self.changing():
            worker.heartbeat.run_once()
        assert worker.lease is not None
        row = self.before.videos[worker.lease.key]
        assert row.token != worker.lease.token or not row.due, "the lease is renewed"

    @rule(away=st.booleans())
    def bury(self, away: bool) -> None:
        """Fail jobs whose attempts are used up, and write their letters."""
        self.letters.away = away
        spent = {k for k, r in self.before.videos.items() if self.is_spent(r)}
        with self.changing(spent=spent, lettered=True), suppress(QueueUnavailable):
            self.dead_letters.run_once()

    @rule()
    def sweep_on(self) -> None:
        with self.changing(looked_at=set(KEYS)):
            self.sweep.run_once()

    @rule(leases=st.sampled_from((0.4, 1.1)))
    def time_passes(self, leases: float) -> None:
        """For the database: what is due sooner. seconds of the settings are long, the test's own are not."""
        seconds = leases * self.settings.lease_s
        self.bucket.now_s += seconds
        with self.db.begin() as tx:
            tx.execute(text("UPDATE videos SET due_at = due_at - make_interval(secs => :s)"), {"s": seconds})
            tx.execute(
                text("UPDATE sweeps SET finished_at = finished_at - make_interval(secs => :s)"),
                {"s": seconds},
            )
        self.before = take_picture(self.db)

    # ------------------------------------------------------------ who may change what

    @contextmanager
    def changing(
        self,
        *,
        looked_at: set[str] | frozenset[str] = frozenset(),
        event: ObjectEvent | None = None,
        claimed: set[str] | frozenset[str] = frozenset(),
        owned: set[str] | frozenset[str] = frozenset(),
        spent: set[str] | frozenset[str] = frozenset(),
        lettered: bool = False,
    ) -> Iterator[None]:
        """Whatever changes in the block must be the right of one of those who are named."""
        yield
        before, self.before = self.before, take_picture(self.db)
        for key in before.videos:
            assert key in self.before.videos, "no video is ever forgotten"
        for key, now in self.before.videos.items():
            then = before.videos.get(key)
            if then is not None and now.same_job(then):
                continue
            note(f"{key}: {then} -> {now}")
            by_right = (
                (key in owned)
                or (key in looked_at and self.agrees(key, then, now, event))
                or (key in claimed and self.was_claimed(then, now))
                or (key in spent and now.state is State.FAILED)
                or (lettered and now.state is State.FAILED and now.dead_lettered)
            )
            assert by_right, f"{key} was changed by nobody who may"
            assert then is None or now.looks_like(then) or now.revision > then.revision, "it is announced"

    def agrees(self, key: str, then: Row | None, now: Row, event: ObjectEvent | None) -> bool:
        """Whether a look at the bucket may have made this of it."""
        found = self.bucket.head(key)
        if now.state is State.REMOVED:
            return found is None and now.token is None
        fresh = (now.state, now.token, now.sha256, now.attempts) == (State.QUEUED, None, None, 0)
        changed = then is None or then.state is State.REMOVED or not is_about(then, found)
        asked = then is not None and event is not None and then.state in (State.FAILED, State.REJECTED)
        return fresh and is_about(now, found) and (changed or asked)

    def was_claimed(self, then: Row | None, now: Row) -> bool:
        assert now.token is not None
        fresh = now.token not in self.tokens
        self.tokens.add(now.token)
        return (
            fresh
            and then is not None
            and self.is_claimable(then)
            and (now.state, now.attempts) == (State.PROCESSING, then.attempts + 1)
            and now.found == then.found
        )

    def is_claimable(self, row: Row) -> bool:
        return row.unfinished and row.due and row.attempts < self.settings.max_attempts

    def is_spent(self, row: Row) -> bool:
        return row.unfinished and row.due and row.attempts >= self.settings.max_attempts

    # ------------------------------------------------------------ what holds at any moment

    @invariant()
    def every_row_makes_sense(self) -> None:
        for key, row in self.before.videos.items():
            assert 0 <= row.attempts <= self.settings.max_attempts
            assert (row.token is not None) == (row.state is State.PROCESSING), key
            assert (row.worker_id is not None) == (row.state is State.PROCESSING), key
            if row.state is State.DONE:
                assert row.sha256 == films.sha256(self.bucket.bodies[row.found.etag]), "of what lies there"
            if row.state is State.REJECTED:
                assert self.bucket.bodies[row.found.etag] == films.BROKEN

    @invariant()
    def no_pair_is_lost_or_stored_twice(self) -> None:
        done = {r.sha256 for r in self.before.videos.values() if r.state is State.DONE}
        expected = {pair for pair in films.pairs() if set(pair) <= done}
        assert expected <= self.before.pairs <= films.pairs()

    # ------------------------------------------------------------ in the end

    def come_to_rest(self) -> None:
        """Let everything be well for a while, all events lost: then nothing is stuck, and nothing is lost."""
        self.bucket.forgetful = self.letters.away = False
        self.bucket.events.clear()
        for worker in self.workers:
            worker.finish()
        assert self.sweep.run_whole(confirm_removals=True) is None
        for _ in range(_ROUNDS):
            self.time_passes(20)
            self.dead_letters.run_once()
            while self.workers[0].start():
                self.workers[0].finish()
            self.before = take_picture(self.db)
            if not any(row.unfinished for row in self.before.videos.values()):
                break
        self.dead_letters.run_once()
        self.before = take_picture(self.db)
        self.check_rest()

    def check_rest(self) -> None:
        lying = self.bucket.contents()
        shown = {k: r for k, r in self.before.videos.items() if r.state is not State.REMOVED}
        assert shown.keys() == lying.keys()
        for key, row in shown.items():
            assert row.state.final, f"{key} is stuck: {row}"
            assert is_about(row, replace(lying[key], version_id=None)), "listings do not tell versions"
            assert row.state is not State.FAILED or row.dead_lettered
            broken = self.bucket.bodies[row.found.etag] == films.BROKEN
            assert row.state in ((State.REJECTED, State.FAILED) if broken else (State.DONE, State.FAILED))

    def teardown(self) -> None:
        if hasattr(self, "workers"):
            try:
                self.come_to_rest()
            finally:
                for worker in self.workers:
                    worker.finish(Killed())


def is_about(row: Row, found: ObjectState | None) -> bool:
    """Whether the row is about this version of the object."""
    return found is not None and same_object(row.found, found)
