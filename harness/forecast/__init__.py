"""How long work would take on a device: measured throughputs, usual lengths, and what follows.

Pure but for reading the two tables that ship with it; every figure in them names its source.
"""
