"""`ombud`: the command line. What cannot go on says so in one line, with what to do, and exits with 1."""

import os
import sys

from services.cli.app import app
from shared.domain.errors import OmbudError


def main() -> None:
    """Run the verb that the arguments name."""
    os.umask(
        0o077
    )  # mails, keys and the database are for their owner alone, the sandbox's servers' files too
    try:
        app()
    except OmbudError as fault:
        print(f"ombud: {fault}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
