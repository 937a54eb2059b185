"""Continuous signals as measures take them: `Signals`, or an array with its sampling rate."""

from numpy.typing import ArrayLike

from equipoise.quantities import Quantity, check, finite
from equipoise.results import Recording, Signals

SAMPLING_RATE = Quantity("samples per second", unit="Hz", low=0.0, open_low=True)


def channels(function: str, signal: Signals | ArrayLike, sampling_rate: float | None) -> tuple[Signals, bool]:
    """The signal as `Signals`, and whether it was a plain array (time,) of one channel without a name.

    Arrays are (time,) or (channels, time) and need `sampling_rate` [Hz]; `Signals` bring their own.
    """
    if isinstance(signal, Signals):
        if sampling_rate is not None:
            raise TypeError(f"{function}: Signals bring their sampling rate; leave sampling_rate={sampling_rate} out.")
        return signal, False
    if isinstance(signal, Recording):
        known = ", ".join(signal.signals) or "none"
        raise TypeError(
            f"{function}: signal must be Signals or an array, got a Recording. Choose one of its signals: {known}."
        )
    if sampling_rate is None:
        raise TypeError(f"{function}: an array needs sampling_rate, such as sampling_rate=250 * Hz.")
    rate = check(f"{function}.sampling_rate", sampling_rate, SAMPLING_RATE)
    values = finite(function, "signal", signal)
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(
            f"{function}: signal must be (time,) or (channels, time), not empty, got shape {values.shape}."
        )
    return Signals(values=values, sampling_rate=rate), values.ndim == 1
