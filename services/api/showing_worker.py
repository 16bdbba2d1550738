"""The process that makes strangers' HTML harmless, for the API that started it (showing.py).

A pickle of `Asked` comes in, one of `Safe` or None goes out; see `shared/runtime/worker_process.py`. Where
memory runs out, the library ends the process, and the API shows the mail's text.
"""

import os
import pickle
import sys

from services.api.html_safe import made_safe
from shared.runtime.worker_process import serve


def main() -> None:
    """Answer until the input ends. The arguments: seconds for one mail, and bytes of memory."""
    # The library says on stderr that memory ran out; that is the service's log, in which every line is JSON.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    seconds, memory = sys.argv[1].split()
    serve(_answer, float(seconds), int(memory))


def _answer(question: bytes | None) -> tuple[bytes, bool]:
    if question is None:
        os._exit(1)
    return pickle.dumps(made_safe(pickle.loads(question))), True  # noqa: S301 (our own process wrote it)
