"""Who does the work: this process, or workers that a cluster lends.

A *work* (`harness.runner.spread.work`) is what a stage of a run does to a unit: write, score,
grade, search. An *executor* gives out the units of a work and hears what is said of them; one
driver writes the files, whoever works. `local` does the work here; `ray` on a cluster, by the rules
of `dispatch`, which knows no clock and no machine.
"""
