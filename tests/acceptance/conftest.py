"""Machines for users, one of them with everything running for the whole session."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.machine import Machine
from tests.film import make

MakeMachine = Callable[..., Machine]

_LONG_LOOPS: Final = 60  # of four seconds: some seconds of work, little to upload


@pytest.fixture(scope="session")
def make_machine(service_dir: Path) -> MakeMachine:
    """Makes machines; arguments are settings by the names of their variables."""
    numbers = itertools.count()

    def make_one(**settings: str) -> Machine:
        return Machine(service_dir / f"machine{next(numbers)}", **settings)

    return make_one


@pytest.fixture
def machine(make_machine: MakeMachine) -> Iterator[Machine]:
    """A machine of one's own. Nothing may run there in the end."""
    machine = make_machine()
    yield machine
    assert machine.processes() == {}


@pytest.fixture(scope="session")
def house(make_machine: MakeMachine) -> Iterator[Machine]:
    """The machine on which `inspector up` runs for all tests that disturb nobody."""
    house = make_machine()
    with house.up() as up:
        yield house
        assert '"level": "error"' not in up.said, up.said
    assert house.processes() == {}
    assert house.scratch_files() == []


@pytest.fixture(scope="session")
def make_long_film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes films whose inspection takes some seconds; no two hold the same streams."""
    folder = tmp_path_factory.mktemp("long")
    numbers = itertools.count()
    picture = ("-f", "lavfi", "-t", "4", "-i", "testsrc2=size=640x360:rate=25")
    shot = make(folder / "shot.mp4", *picture, "-preset", "ultrafast", "-crf", "30")

    def make_one() -> Path:
        number = next(numbers)
        repeated = ("-stream_loop", str(_LONG_LOOPS + number), "-i", str(shot), "-c", "copy")
        return make(folder / f"long{number}.mp4", *repeated)

    return make_one
