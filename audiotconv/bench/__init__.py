"""Benchmarks: ours beside the peers, in one run, with the error beside every time."""
