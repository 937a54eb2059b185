"""The same circuit on other simulators."""

from equipoise.backends import nest as nest
