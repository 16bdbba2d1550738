"""Deadlines, and what happens when they pass."""
