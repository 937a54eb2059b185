"""How far a run is, how fast it goes and how long it still takes: one line on a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from equipoise.units import day, hour, minute

Progress = Callable[[float], None]

REFRESH = 0.2
"""Wall time between two looks of the line [s]."""
CLEAR = "\r\x1b[K"


@dataclass
class Clock:
    """Turns finished fractions of `span` simulated seconds into words; the clock starts when it is made."""

    span: float
    started: float = field(default_factory=time.perf_counter)

    def words(self, fraction: float) -> str:
        """Simulated time of all, simulated seconds per wall second, and wall time left."""
        passed = time.perf_counter() - self.started
        text = f"{duration(fraction * self.span)} of {duration(self.span)}"
        if fraction <= 0.0 or passed <= 0.0:
            return text
        speed, left = fraction * self.span / passed, passed * (1.0 / fraction - 1.0)
        return f"{text}, {speed:.3g} s per s, {duration(left)} left"


class Line:
    """Draws the words of a clock over each other, and wipes them off at the end."""

    def __init__(self, span: float, stream: TextIO):
        self.clock, self.stream, self.shown = Clock(span), stream, -1.0

    def __call__(self, fraction: float) -> None:
        """Draw, unless that was just done."""
        now = time.perf_counter()
        if now - self.shown >= REFRESH:
            self.stream.write(CLEAR + self.clock.words(fraction))
            self.stream.flush()
            self.shown = now

    def close(self) -> None:
        """Leave an empty line."""
        self.stream.write(CLEAR)
        self.stream.flush()


@contextmanager
def telling(progress: Progress | bool | None, span: float) -> Iterator[Progress]:
    """What to call with finished fractions: a function of the user's, a line where True and on a terminal, or nothing.

    `span` [s] is the simulated time of the whole. The line goes to stderr.
    """
    if callable(progress):
        yield progress
    elif progress and sys.stderr.isatty():
        line = Line(span, sys.stderr)
        try:
            yield line
        finally:
            line.close()
    else:
        yield lambda _: None


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, name in ((day, "days"), (hour, "h"), (minute, "min")):
        if seconds >= 2.0 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s"
