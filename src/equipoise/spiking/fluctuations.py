"""What the fluctuations of a network do to weights that follow what was sensed in windows of it."""

from dataclasses import dataclass

import numpy as np

from equipoise.quantities import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """What the fluctuations of the network do to z: `sensed` (m, m) their covariance in a window, seen `seen` times.

    `z` (k, k) is the covariance of the slow variables that they have caused. `last` (m,) is what the next window was
    expected to sense, NaN where nothing is known.
    """

    seen: int
    last: Array
    sensed: Array
    z: Array


def noticed(before: Noise | None, s: Array, answer: Array, linear: tuple[Array, Array], echo: float) -> Noise:
    """Fluctuations from what successive windows sensed beyond the expected answer, and what they did to z.

    With a correlation c (`echo`) of successive windows half the square of a surprise is 1 - c of their variance, and
    what many of them do in a row 1 + 2 c of it.
    """
    gain, carried = linear
    (k, m), expected = gain.shape, s + answer
    if before is None:
        return Noise(seen=0, last=expected, sensed=np.zeros((m, m)), z=np.zeros((k, k)))
    surprise, sensed, seen = s - before.last, before.sensed, before.seen
    if not np.isnan(surprise).any():
        one = 0.5 * np.outer(surprise, surprise) * (1.0 + 2.0 * echo) / (1.0 - echo)
        sensed, seen = (sensed * seen + one) / (seen + 1), seen + 1
    z = carried @ before.z @ carried.T + gain @ sensed @ gain.T
    return Noise(seen=seen, last=expected, sensed=sensed, z=z)
