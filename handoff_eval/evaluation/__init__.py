"""Replay, metrics with intervals, the budget, and the comparison of arms."""
