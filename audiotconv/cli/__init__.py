"""The command line: one file per command or group of commands, and `shell` for what they share."""

from . import bench, extract, machine, recipes, show, stream, verify
from .shell import app, bench_app, main

__all__ = ["app", "bench", "bench_app", "extract", "machine", "main", "recipes", "show", "stream", "verify"]
