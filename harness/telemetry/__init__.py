"""What a run does while it runs: rates, queues, time shares, a trace, and limits on what it spends.

Nothing here decides a result. `harness.telemetry.telemetry` is the one object that the driver and
the runner talk to; `meter`, `line` and `limits` are pure, `recorder` and `trace` write files.
"""
