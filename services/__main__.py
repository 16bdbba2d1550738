"""`ombud`: the command line. What cannot go on says so in one line, with what to do, and exits with 1."""

import os
import sys
from importlib import import_module

from shared.domain.errors import OmbudError

INTERRUPTED = 130
"""What shells expect of a program that Ctrl-C ended: 128 and the signal's number."""


def main() -> None:
    """Run the verb that the arguments name."""
    # Mails, keys and the database are for their owner alone; so is what the sandbox's servers write.
    os.umask(0o077)
    try:
        # Only now, for Ctrl-C may come while it is being read.
        import_module("services.cli.app").app()
    except OmbudError as fault:
        print(f"ombud: {fault}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
