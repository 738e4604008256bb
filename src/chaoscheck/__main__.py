"""``python -m chaoscheck``: the same as the console script."""

from __future__ import annotations

from chaoscheck.cli import main

if __name__ == "__main__":
    main()
