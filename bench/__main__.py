"""`make bench`: measure and print. `ARGS="collect whole-way --mails 1000"` runs some of them, with that load.

Each figure stands beside its limit, measured in the same run on the same machine. Nothing is asserted here.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from bench import (
    api,
    backlog,
    collect,
    growth,
    intake,
    keyed,
    latency,
    letters,
    memory,
    parsing,
    processes,
    scaling,
    whole_way,
)
from bench.options import Options
from bench.table import Row, show
from services.cli.serve import run_loop
from shared.runtime import logs
from shared.runtime.settings import LogSettings

Bench = Callable[[Path, Options], Coroutine[Any, Any, list[Row]]]

BENCHES: dict[str, Bench] = {
    "parsing": parsing.measure,
    "keyed": keyed.measure,
    "collect": collect.measure,
    "intake": intake.measure,
    "letters": letters.measure,
    "processes": processes.measure,
    "whole-way-embedded": whole_way.embedded,
    "whole-way-cluster": whole_way.cluster,
    "latency-embedded": latency.embedded,
    "latency-cluster": latency.cluster,
    "backlog-embedded": backlog.embedded,
    "backlog-cluster": backlog.cluster,
    "scaling": scaling.measure,
    "growth-embedded": growth.embedded,
    "growth-cluster": growth.cluster,
    "api-embedded": api.embedded,
    "api-cluster": api.cluster,
    "memory": memory.measure,
}


def main() -> int:
    """Run the benches that were asked for."""
    names, options = _asked()
    chosen = [name for name in BENCHES if not names or any(name.startswith(n) for n in names)]
    logs.set_up(LogSettings(level="error", format="text"), "bench", sys.stderr)
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, Python {platform.python_version()}, {options}\n", flush=True)
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="ombud-bench-", ignore_cleanup_errors=True) as folder:
            run_loop(partial(_run, name, Path(folder), options))
    return 0


async def _run(name: str, folder: Path, options: Options) -> int:
    show(name, await BENCHES[name](folder, options))
    return 0


def _asked() -> tuple[list[str], Options]:
    usual = Options()
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHES)}, or how they begin; all without")
    parser.add_argument("--mails", type=int, default=usual.mails, help="in a burst")
    parser.add_argument("--tickets", type=_numbers, default=usual.tickets, help="in the store: 10000,100000")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="of one measurement")
    parser.add_argument("--minutes", type=float, default=usual.minutes, help="of load, for memory")
    parser.add_argument("--rate", type=float, default=usual.rate, help="of the load beside, in mails/s")
    parser.add_argument("--rates", type=_rates, default=usual.rates, help="for latency: 1,10,100 mails/s")
    parser.add_argument("--clients", type=int, default=usual.clients, help="of the API, at once")
    given = vars(parser.parse_args())
    names: list[str] = given.pop("names")
    return names, Options(**given)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(","))


def _rates(text: str) -> tuple[float, ...]:
    return tuple(float(one) for one in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
