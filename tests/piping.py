"""Standard input and output of this process, replaced by pipes that a test feeds and empties."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class _Descriptor:
    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


@contextmanager
def standard_input(data: bytes, ends: bool = True) -> Iterator[None]:
    """Standard input is a pipe into which `data` goes. ends: the writer then closes it; else it stays open."""
    source, sink = os.pipe()

    def feed() -> None:
        try:
            left = memoryview(data)
            while len(left):
                left = left[os.write(sink, left) :]
        except BrokenPipeError:
            pass
        if ends:
            os.close(sink)

    thread = threading.Thread(target=feed)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "__stdin__", _Descriptor(source))
        try:
            yield
        finally:
            os.close(source)
            thread.join()
            if not ends:
                os.close(sink)


@contextmanager
def input_descriptor(number: int) -> Iterator[None]:
    """Standard input is this open descriptor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "__stdin__", _Descriptor(number))
        yield


@contextmanager
def output_descriptor(number: int) -> Iterator[None]:
    """Standard output, for the graded stream, is this open descriptor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "__stdout__", _Descriptor(number))
        yield


@contextmanager
def standard_output(out: bytearray) -> Iterator[None]:
    """Standard output is a pipe that is read to its end into `out`."""
    source, sink = os.pipe()

    def drain() -> None:
        while chunk := os.read(source, 1 << 16):
            out.extend(chunk)

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        with output_descriptor(sink):
            yield
    finally:
        os.close(sink)
        thread.join()
        os.close(source)


@contextmanager
def closed_output() -> Iterator[None]:
    """Standard output is a pipe whose reader has gone."""
    source, sink = os.pipe()
    os.close(source)
    try:
        with output_descriptor(sink):
            yield
    finally:
        os.close(sink)
