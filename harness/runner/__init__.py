"""The runner: plans a sweep, does what is owed, and evaluates what is there."""
