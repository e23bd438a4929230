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
FAULTS: Final[tuple[type[BaseException], ...]] = (
    Killed, ToolKilled, BucketUnavailable, ScratchFull, Interrupted, RuntimeError,
)  # fmt: skip
BLAMELESS: Final = (ScratchFull, Interrupted)  # what ends an attempt for no fault of the video
_ROUNDS: Final = 40  # in which all must come to rest

keys = st.sampled_from(KEYS)
positions = st.integers(0, 30)
STEPS: Final = st.sampled_from((1, 1, 2, 3, 8))
LEASES: Final = st.sampled_from((0.0, 0.0, 0.0, 0.4, 1.1, 1.1))


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
        self.hurt: set[str] = set()  # keys of jobs that were disturbed

    @initialize(
        versioned=st.booleans(),
        sequenced=st.booleans(),
        punctual=st.booleans(),
        first=st.dictionaries(keys, st.sampled_from(films.BODIES), min_size=1),
    )
    def furnish(self, versioned: bool, sequenced: bool, punctual: bool, first: dict[str, bytes]) -> None:
        """punctual: the workers' own clocks run, so that they may notice that their lease has run out."""
        self.bucket = MemoryBucket(versioned, sequenced)
        self.letters = LetterBox()
        self.punctual = punctual
        self.ingest = Ingest(self.db, self.bucket, self.settings)
        self.sweep = Sweep(self.db, self.bucket, self.ingest, self.settings)
        self.dead_letters = DeadLetters(self.db, self.letters, self.settings)
        self.workers = [self.hire() for _ in range(3)]
        for key, body in first.items():
            self.change(key, body, told=True, restored=False)

    def hire(self) -> PausedWorker:
        def clock() -> float:
            return self.bucket.now_s if self.punctual else 0.0

        return PausedWorker(self.db, self.bucket, self.ingest, self.settings, clock)

    # ------------------------------------------------------------ people

    @rule(key=keys, body=st.sampled_from((*films.BODIES, None)), told=st.booleans(), restored=st.booleans())
    def change(self, key: str, body: bytes | None, told: bool, restored: bool) -> None:
        """Upload a file, or delete the object. told: its event arrives at once.  restored: the delete marker
        is deleted in its turn.
        """
        if body is not None:
            self.bucket.store(key, body)
        elif key in self.bucket.contents():
            self.bucket.erase(key)
        else:
            return
        if told:
            self.deliver(-1)
        if restored:
            self.bucket.restore(key)

    # ------------------------------------------------------------ events: in any order, twice, or never

    @precondition(lambda self: self.bucket.events)
    @rule(position=positions, fate=st.sampled_from(("arrives", "arrives", "arrives twice", "is lost")))
    def event(self, position: int, fate: str) -> None:
        position %= len(self.bucket.events)
        if fate == "is lost":
            del self.bucket.events[position]
        else:
            self.deliver(position, again=fate == "arrives twice")

    def deliver(self, position: int, *, again: bool = False) -> None:
        """again: it will come once more, some time."""
        event = self.bucket.events[position]
        if not again:
            del self.bucket.events[position]
        self.look_at(event)

    @precondition(lambda self: self.letters.bodies)
    @rule(position=positions)
    def redrive(self, position: int) -> None:
        (event,) = parse_message(self.letters.bodies[position % len(self.letters.bodies)])
        self.look_at(event)

    def look_at(self, event: ObjectEvent) -> None:
        with self.changing(looked_at={event.key}, event=event):
            self.ingest.look_at(event.key, event)

    # ------------------------------------------------------------ workers

    @rule(steps=STEPS, beats=st.booleans(), leases=LEASES)
    def first_works(self, steps: int, beats: bool, leases: float) -> None:
        self.work(0, steps, beats, leases)

    @rule(steps=STEPS, beats=st.booleans(), leases=LEASES)
    def second_works(self, steps: int, beats: bool, leases: float) -> None:
        self.work(1, steps, beats, leases)

    @rule(steps=STEPS, beats=st.booleans(), leases=LEASES)
    def third_works(self, steps: int, beats: bool, leases: float) -> None:
        self.work(2, steps, beats, leases)

    def work(self, number: int, steps: int, beats: bool, leases: float) -> None:
        """A worker claims a job, or goes on with the one it has. leases: how long it stood still before."""
        self.time_passes(leases)
        worker = self.workers[number]
        if worker.lease is None:
            self.claim(worker)
        elif beats:
            self.beat(worker)
        for _ in range(steps):
            self.let_go(worker, None)

    @precondition(lambda self: any(worker.lease for worker in self.workers))
    @rule(number=positions, fault=st.sampled_from(FAULTS))
    def fail(self, number: int, fault: type[BaseException]) -> None:
        """Something breaks, or the worker dies, where it stands."""
        busy = [worker for worker in self.workers if worker.lease is not None]
        worker = busy[number % len(busy)]
        assert worker.lease is not None
        key, token = worker.lease.key, worker.lease.token
        then = self.before.videos[key]
        self.hurt.add(key)
        self.let_go(worker, fault("by the model"))
        if fault is Killed:
            self.workers[self.workers.index(worker)] = self.hire()
        now = self.before.videos[key]
        if then.token == token and now.error == "by the model":
            blameless = fault in BLAMELESS
            assert now.attempts == then.attempts - blameless, "only what it may be to blame for counts"

    def claim(self, worker: PausedWorker) -> None:
        claimable = {k for k, r in self.before.videos.items() if self.is_claimable(r)}
        with self.changing(claimed=claimable):
            lease = worker.start()
        assert (lease is not None) == bool(claimable)

    def let_go(self, worker: PausedWorker, fault: BaseException | None) -> None:
        lease = worker.lease
        if lease is None:
            return
        before = self.before
        owns = before.videos[lease.key].token == lease.token
        with self.changing(owned={lease.key} if owns else set(), looked_at={lease.key}):
            worker.go(fault)
        if not owns:
            assert (self.before.contents, self.before.pairs) == (before.contents, before.pairs)

    def beat(self, worker: PausedWorker) -> None:
        lease = worker.lease
        assert lease is not None
        with self.changing():
            worker.heartbeat.run_once()
        row = self.before.videos[lease.key]
        assert row.token != lease.token or not row.due, "the lease is renewed"

    @precondition(lambda self: any(map(self.is_to_be_buried, self.before.videos.values())))
    @rule(away=st.booleans())
    def bury(self, away: bool) -> None:
        """Fail jobs whose attempts are used up, and write their letters."""
        self.letters.away = away
        spent = {k for k, r in self.before.videos.items() if self.is_spent(r)}
        self.hurt |= spent
        with self.changing(spent=spent, lettered=True), suppress(QueueUnavailable):
            self.dead_letters.run_once()

    @rule(forgetful=st.sampled_from((False, False, True)))
    def sweep_on(self, forgetful: bool) -> None:
        """forgetful: the emulator came back with an empty bucket, until the next sweep."""
        self.bucket.forgetful = forgetful
        with self.changing(looked_at=set(KEYS)):
            self.sweep.run_once()

    def time_passes(self, leases: float) -> None:
        """Seconds of the settings are long, the test's own count for nothing: the database's clock is moved
        by moving what is due.
        """
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
                or (key in claimed and self.was_claimed(key, then, now))
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

    def was_claimed(self, key: str, then: Row | None, now: Row) -> bool:
        assert now.token is not None
        if then is not None and then.state is State.PROCESSING:
            self.hurt.add(key)  # its worker stood still for too long
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

    def is_to_be_buried(self, row: Row) -> bool:
        return self.is_spent(row) or (row.state is State.FAILED and not row.dead_lettered)

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
            assert row.state is not State.FAILED or (row.dead_lettered and key in self.hurt), row.error
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
