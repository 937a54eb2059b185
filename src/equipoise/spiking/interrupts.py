"""Ctrl-C at moments of our choice."""

import signal
import threading
from types import FrameType, TracebackType


class Deferred:
    """Within, Ctrl-C is remembered, and `answer` does what it would have done: raise KeyboardInterrupt, as a rule.

    So that it falls between two slices of a simulation and never in the middle of its books. Where a finished block was
    still to answer, nothing happens any more. Only the main thread gets Ctrl-C; in others this does nothing.
    """

    def __init__(self):
        self.heard: tuple[int, FrameType | None] | None = None
        self.before = None

    def __enter__(self) -> "Deferred":
        if threading.current_thread() is threading.main_thread() and callable(now := signal.getsignal(signal.SIGINT)):
            self.before = now
            signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.heard = number, frame

    def answer(self) -> None:
        """Let Ctrl-C act if it came."""
        heard, self.heard = self.heard, None
        if heard is not None and self.before is not None:
            self.before(*heard)
