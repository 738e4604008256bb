"""The console script, also as ``python -m chaoscheck``.

``serve`` goes round the command line's library: whoever starts a server in a test suite waits for
it, and that library is a third of the time until it is ready.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the console script; exits with its code."""
    if sys.argv[1:2] == ["serve"]:
        from chaoscheck.serve_command import serve

        serve(sys.argv[2:])
        return
    from chaoscheck.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
