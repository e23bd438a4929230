"""Objects at work as bytes, and back: what a worker needs to go on where another one stopped.

A closed set of classes is known by name, and nothing else is ever made from the bytes: unlike a pickle they
can hold numbers and arrays, but no code. What only grows is a `Log`: each time only what is new is written.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, TypeVar

import numpy as np

T = TypeVar("T")

_SIZE_BYTES: Final = 8  # of the length of the description, before the arrays


class Log(list[T]):
    """A list that is only added to. kept: how many of its items have been written for good."""

    kept = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    """An object as bytes. state: all but its logs.  grown: what its logs gained since they were kept last."""

    state: bytes
    grown: bytes
    logs: Sequence[Log[Any]]

    def mark_kept(self) -> None:
        """These bytes are safe: the next ones need not hold what is in them. To be called before it grows."""
        for log in self.logs:
            log.kept = len(log)


def freeze(root: Any, classes: Sequence[type]) -> Frozen:
    """An object as bytes.

    root: numbers, strings, arrays, lists, tuples and objects of these classes, of any depth.
    Raises TypeError on anything else.
    """
    logs: list[Log[Any]] = []
    state = _Writer(classes, logs).pack(root)
    return Frozen(state, _Writer(classes, []).pack([log[log.kept :] for log in logs]), logs)


def thaw(state: bytes, grown: Sequence[bytes], classes: Sequence[type]) -> Any:
    """The object that was frozen. grown: all that its logs gained, from the first `freeze` on, in order."""
    logs: list[Log[Any]] = []
    root = _read(state, classes, logs)
    for piece in grown:
        for log, items in zip(logs, _read(piece, classes, []), strict=True):
            log.extend(items)
    for log in logs:
        log.kept = len(log)
    return root


class _Writer:
    """Turns objects into a description (JSON) and the bytes of the arrays it speaks of."""

    def __init__(self, classes: Sequence[type], logs: list[Log[Any]]) -> None:
        self._known = frozenset(classes)
        self._logs = logs
        self._arrays: list[bytes] = []

    def pack(self, root: Any) -> bytes:
        description = json.dumps(self._described(root)).encode()
        size = len(description).to_bytes(_SIZE_BYTES, "big")
        return zlib.compress(size + description + b"".join(self._arrays), level=1)

    def _described(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, np.ndarray):
            self._arrays.append(value.tobytes())
            return {"array": value.dtype.str, "shape": value.shape}
        if isinstance(value, Log):
            self._logs.append(value)
            return {"log": len(self._logs)}
        if type(value) in self._known:
            return {
                "object": type(value).__name__,
                "parts": {name: self._described(part) for name, part in _parts(value).items()},
            }
        if type(value) in (list, tuple):
            return {type(value).__name__: [self._described(item) for item in value]}
        raise TypeError(f"{type(value).__name__} cannot be frozen")


def _parts(value: Any) -> dict[str, Any]:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple):
        return dict(zip(type(value)._fields, value, strict=True))  # type: ignore[attr-defined]
    return dict(vars(value))


def _read(data: bytes, classes: Sequence[type], logs: list[Log[Any]]) -> Any:
    packed = memoryview(zlib.decompress(data))
    size = int.from_bytes(packed[:_SIZE_BYTES], "big")
    description = json.loads(bytes(packed[_SIZE_BYTES : _SIZE_BYTES + size]))
    return _Reader(classes, logs, packed[_SIZE_BYTES + size :]).made(description)


class _Reader:
    """Makes objects from their description, in the order in which they were described."""

    def __init__(self, classes: Sequence[type], logs: list[Log[Any]], arrays: memoryview) -> None:
        self._known = {known.__name__: known for known in classes}
        self._logs = logs
        self._arrays = arrays

    def made(self, described: Any) -> Any:
        if not isinstance(described, dict):
            return described
        if "array" in described:
            return self._array(np.dtype(described["array"]), described["shape"])
        if "log" in described:
            self._logs.append(Log())
            return self._logs[-1]
        if "object" in described:
            parts = {name: self.made(part) for name, part in described["parts"].items()}
            return _revived(self._known[described["object"]], parts)
        if "list" in described:
            return [self.made(item) for item in described["list"]]
        return tuple(self.made(item) for item in described["tuple"])

    def _array(self, dtype: np.dtype[Any], shape: Sequence[int]) -> Any:
        size = dtype.itemsize * int(np.prod(shape))
        taken, self._arrays = self._arrays[:size], self._arrays[size:]
        return np.frombuffer(taken, dtype).reshape(shape).copy()


def _revived(known: type, parts: Mapping[str, Any]) -> Any:
    if is_dataclass(known) or issubclass(known, tuple):
        return known(**parts)
    revived = object.__new__(known)
    vars(revived).update(parts)
    return revived
