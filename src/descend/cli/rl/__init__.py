"""`descend rl` and `descend rl play`: train a policy, and watch it."""

from descend.cli.rl.playing import play
from descend.cli.rl.training import rl

__all__ = ["play", "rl"]
