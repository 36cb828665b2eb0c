"""prm-harness: a benchmark and leaderboard harness for Process Reward Models."""

__version__ = "0.1.0"
