"""Firing-rate homeostasis by the input that neurons require."""
