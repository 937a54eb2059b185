"""The design of an experiment from the command line: what one can afford, and how much recordings vary."""

from typing import TYPE_CHECKING

from equipoise.cli.recorded import recording_named

if TYPE_CHECKING:
    from equipoise.inference import Variability
    from equipoise.results import Recording


def variability_of(names: list[str], epochs: list[str], between: str) -> "Variability | None":
    """Variability of units between two epochs of recordings, none without one.

    `between` names the epochs, their first two by default.
    """
    from equipoise.inference import variability

    if not names:
        if epochs or between:
            raise ValueError("--epoch and --between are of a recording: give it as --recording FILE.")
        return None
    given = [recording_named(name, "s", epochs or None) for name in names]
    first, second = _two(between, given[0])
    return variability(given, first, second)


def _two(between: str, recording: "Recording") -> tuple[str, str]:
    """The names of two epochs."""
    known = [epoch.name for epoch in recording.epochs]
    asked = [part.strip() for part in between.split(",") if part.strip()] or known[:2]
    if len(asked) != 2:
        raise ValueError(
            f"--between must name two epochs of the recording such as sleep,wake, got {between!r}. It has "
            f"{', '.join(known) or 'none: give them as --epoch NAME:START:STOP'}."
        )
    return asked[0], asked[1]
