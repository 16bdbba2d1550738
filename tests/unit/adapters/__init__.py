"""Tests of the adapters, beside the contract suites of their ports."""
