"""Checkpoints: what a worker at a long video has done so far, kept under its lease for whoever goes on.

A checkpoint counts only for the same bytes under the same plan. The database deletes those of a job that has
ended, or has been superseded, by itself (see the migration's trigger).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from inspector.freezing import Frozen
from inspector.model import Lease
from inspector.store import jobs
from inspector.store.tables import CheckpointRow


@dataclass(frozen=True, slots=True)
class Basis:
    """What the work depends on. sha256: of the video's bytes.  plan: a digest of the way it is done."""

    sha256: bytes
    plan: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """state: what the work goes on from.  grown: what was done from the first to the last one, in order."""

    progress: float
    state: bytes
    grown: tuple[bytes, ...]


def save(tx: Session, lease: Lease, basis: Basis, number: int, progress: float, frozen: Frozen) -> None:
    """Keep one more checkpoint. number: how many there are; 0 drops what another attempt left behind.

    Raises LeaseLost, and then keeps nothing.
    """
    jobs.lock(tx, lease)
    mine = CheckpointRow.video_id == lease.video_id
    tx.execute(delete(CheckpointRow).where(mine, CheckpointRow.number >= number))
    tx.execute(update(CheckpointRow).where(mine, CheckpointRow.state.is_not(None)).values(state=None))
    tx.add(
        CheckpointRow(
            video_id=lease.video_id,
            number=number,
            sha256=basis.sha256,
            plan=basis.plan,
            progress=progress,
            grown=frozen.grown,
            state=frozen.state,
        )
    )


def load(tx: Session, lease: Lease, basis: Basis) -> Checkpoint | None:
    """Where an attempt at the same bytes, by the same plan, has come to. None: at the beginning."""
    rows = tx.scalars(
        select(CheckpointRow).where(CheckpointRow.video_id == lease.video_id).order_by(CheckpointRow.number)
    ).all()
    fit = all((row.sha256, row.plan) == (basis.sha256, basis.plan) for row in rows)
    if not rows or not fit or rows[-1].state is None:
        return None
    return Checkpoint(rows[-1].progress, rows[-1].state, tuple(row.grown for row in rows))
