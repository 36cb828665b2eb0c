"""Ours before any other package of this name that a dependency may install."""
