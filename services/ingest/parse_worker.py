"""The process that parses large and suspicious mails, for the one that started it (parse_workers.py).

Raw mails come in, and out goes a pickle of `Answer` for each. It ends after a mail took more memory than it
may, which is answered first; see `worker_process.py` for the rest.
"""

import pickle
import sys
from dataclasses import dataclass
from functools import partial

from services.ingest.parsing import ParsedMail, parse
from services.ingest.settings import Limits
from shared.domain.errors import Unreadable
from shared.runtime.worker_process import serve


@dataclass(frozen=True, slots=True)
class Answer:
    """`mail` is None when it is unreadable, for `reason`."""

    mail: ParsedMail | None
    reason: str = ""


def main() -> None:
    """Parse mails until the input ends. The only argument is the `Limits` as JSON."""
    limits = Limits.model_validate_json(sys.argv[1])
    serve(partial(_answer, limits), limits.parse_seconds, limits.parse_memory)


def _answer(limits: Limits, raw: bytes | None) -> tuple[bytes, bool]:
    """The answer's bytes, and whether the process may take another mail."""
    reason = f"reading it takes more memory than parse_memory={limits.parse_memory}"
    if raw is None:
        return pickle.dumps(Answer(None, reason)), False
    try:
        return pickle.dumps(Answer(parse(raw, limits))), True
    except Unreadable as fault:
        return pickle.dumps(Answer(None, str(fault))), True
    except MemoryError:
        return pickle.dumps(Answer(None, reason)), False
