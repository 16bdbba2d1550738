"""The vocabulary and its rules; pure."""
