"""`python -m flowspec` is `flowspec`."""

from flowspec.cli import main

main()
