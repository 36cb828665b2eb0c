"""The command line `run-benchmark`: one verb per file, nothing heavy imported before it is used."""
