"""What the fluctuations of a network do to weights that follow what was sensed in windows of it."""

from dataclasses import dataclass

import numpy as np

from equipoise.quantities import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """What the fluctuations of the network do to z: `sensed` (m, m) their covariance in a window, seen `seen` times.

    `z` (k, k) is the covariance of the slow variables that they have caused, `held` (k, m) what a constant error of all
    that is sensed would have made of them. `last` (m,) is what the next window was expected to sense, NaN where nothing
    is known.
    """

    seen: int
    last: Array
    sensed: Array
    z: Array
    held: Array

    def of_set_points(self, window: float) -> Array:
        """SD of the slow variables (k,), times sqrt(s), by set points that are what was sensed for one second.

        Over T seconds it is 1/sqrt(T) of that; `window` [s] is that of `sensed`.
        """
        return np.sqrt(np.maximum(np.diag(self.held @ self.sensed @ self.held.T) * window, 0.0))


def noticed(before: Noise | None, s: Array, answer: Array, linear: tuple[Array, Array], echo: float) -> Noise:
    """Fluctuations from what successive windows sensed beyond the expected answer, and what they did to z.

    With a correlation c (`echo`) of successive windows half the square of a surprise is 1 - c of their variance, and
    what many of them do in a row 1 + 2 c of it.
    """
    gain, carried = linear
    (k, m), expected = gain.shape, s + answer
    if before is None:
        return Noise(seen=0, last=expected, sensed=np.zeros((m, m)), z=np.zeros((k, k)), held=gain)
    surprise, sensed, seen = s - before.last, before.sensed, before.seen
    if not np.isnan(surprise).any():
        one = 0.5 * np.outer(surprise, surprise) * (1.0 + 2.0 * echo) / (1.0 - echo)
        sensed, seen = (sensed * seen + one) / (seen + 1), seen + 1
    z = carried @ before.z @ carried.T + gain @ sensed @ gain.T
    return Noise(seen=seen, last=expected, sensed=sensed, z=z, held=carried @ before.held + gain)
