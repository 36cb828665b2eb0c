"""Leaderboards: what a board asks for, what a submission holds, what was recomputed from both."""
