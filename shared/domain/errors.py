"""Every error of Ombud; the type says what to do next.

    OmbudError
    ├── Temporary            try again later, with back-off
    │   ├── Conflict         somebody saved first: read again, decide again
    │   ├── TookTooLong      what was begun did not end in its time, and was broken off
    │   └── Unavailable      a dependency is down: wait for it; the event is not at fault
    ├── Permanent            trying again cannot help: set aside with the reason
    │   ├── Duplicate        a document with this id (or unique field) is there already
    │   ├── NotFound         there is no such thing
    │   ├── Invalid          the input is at fault; `fields` says where
    │   ├── MoveNotAllowed   the ticket's state forbids it; `allowed` says what may be done
    │   ├── Unreadable       a mail or an event cannot be understood
    │   └── UndeclaredFilter a query on a field without an index: a fault of ours
    └── Refused              the process cannot start or go on so; the text says what to do

Adapters translate their library's errors into these at one place each.
"""

from collections.abc import Mapping, Sequence


class OmbudError(Exception):
    """What all errors of Ombud have in common: a sentence for a person, a code for a program."""

    code = "error"


class Temporary(OmbudError):
    """It may work later: try again with back-off."""

    code = "temporary"


class Conflict(Temporary):
    """Somebody saved this document first: read it again and decide again."""

    code = "conflict"


class TookTooLong(Temporary):
    """It did not end in the time that it is given, and was broken off."""

    code = "took_too_long"


class Unavailable(Temporary):
    """A dependency does not answer: wait for it, and set nothing aside because of it."""

    code = "unavailable"

    def __init__(self, dependency: str, reason: str) -> None:
        super().__init__(f"{dependency} does not answer: {reason}")
        self.dependency = dependency


class Permanent(OmbudError):
    """Trying again cannot help: set it aside with its reason."""

    code = "permanent"


class Duplicate(Permanent):
    """A document with this id, or this value of a unique field, exists already."""

    code = "duplicate"


class NotFound(Permanent):
    """There is no such thing."""

    code = "not_found"


class Invalid(Permanent):
    """The input is at fault: `fields` maps each field to what is wrong with it."""

    code = "invalid"

    def __init__(self, reason: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.fields = dict(fields or {})


class MoveNotAllowed(Permanent):
    """The state forbids this move: `allowed` lists the ones it allows."""

    code = "move_not_allowed"

    def __init__(self, reason: str, allowed: Sequence[str]) -> None:
        super().__init__(reason)
        self.allowed = list(allowed)


class Unreadable(Permanent):
    """These bytes cannot be understood; they are kept whole for a person to look at."""

    code = "unreadable"


class UndeclaredFilter(Permanent):
    """A query names a field without a declared index: declare it in the collection's `Spec`."""

    code = "undeclared_filter"


class Refused(OmbudError):
    """The process cannot start or go on like this: the text says what to do."""

    code = "refused"
