"""The store: everything a run leaves on disk. `format` is the contract."""
