"""Names of channels as text, for formats that have no place for them."""

import json
from collections.abc import Sequence


def channel_text(names: Sequence[str]) -> str:
    """A text from which `channel_names` finds the names."""
    return json.dumps({"channels": list(names)})


def channel_names(text: str) -> tuple[str, ...] | None:
    """The names in a text of `channel_text`; None in any other text."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return tuple(map(str, found["channels"])) if isinstance(found, dict) and "channels" in found else None
