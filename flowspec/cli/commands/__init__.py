"""One module per command; each defines `command`, which `flowspec.cli` loads when it is asked for."""
