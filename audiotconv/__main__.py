"""``python -m audiotconv``: the command line."""

from .cli import main

main()
