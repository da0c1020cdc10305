"""Measure, tune and ship the trigger that decides when an AI support agent emails a person."""

__version__ = "0.1.0"
