"""The shipped PRMs by name; `harness.adapters.entries` says what a catalogue is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from harness.adapters.entries import Entry, load


@cache
def entries() -> dict[str, Entry]:
    """Return the shipped PRMs by name."""
    return load(Path(__file__).with_name("catalog.yaml"))
