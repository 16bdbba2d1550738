"""The benches: what the README's figures come from, each beside its limit in the same run."""
