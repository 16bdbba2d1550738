"""`make bench`: measure and print. `ARGS="collect whole-way"` runs some of them, `--mails N` sets the load.

Each figure stands beside its limit, measured in the same run on the same machine. Nothing is asserted here.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bench import collect, keyed, processes, whole_way
from bench.table import Row, show
from shared.runtime import logs
from shared.runtime.settings import LogSettings

BENCHES: dict[str, Callable[[Path, int], Coroutine[Any, Any, list[Row]]]] = {
    "keyed": keyed.measure,
    "collect": collect.measure,
    "processes": processes.measure,
    "whole-way-embedded": whole_way.embedded,
    "whole-way-cluster": whole_way.cluster,
}


def main() -> int:
    """Run the benches that were asked for."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHES)}; all without")
    parser.add_argument("--mails", type=int, default=3000)
    options = parser.parse_args()
    chosen = [name for name in BENCHES if not options.names or any(name.startswith(n) for n in options.names)]
    logs.set_up(LogSettings(level="error", format="text"), "bench", sys.stderr)
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, Python {platform.python_version()}, {options.mails} mails\n", flush=True)
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="ombud-bench-", ignore_cleanup_errors=True) as folder:
            show(name, asyncio.run(BENCHES[name](Path(folder), options.mails)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
