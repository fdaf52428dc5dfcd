"""The entry point of `flowspec` and `python -m flowspec`. Ctrl-C also exits with 130 while modules are imported."""

import sys


def main() -> None:
    """Runs the command line; an interrupt while modules are imported, before or after the command, ends with 130."""
    try:
        from flowspec.cli import main as command

        command()
    except KeyboardInterrupt:
        import signal

        # Some press Ctrl-C more than once.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # As `Exit.INTERRUPTED`, which may not be imported yet.
        sys.exit(130)


if __name__ == "__main__":
    main()
