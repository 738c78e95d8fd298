"""The entry: ``ecgstream``, and ``python -m ecgstream``."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C before it has begun is no error either."""
    try:
        from ecgstream.commands.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
