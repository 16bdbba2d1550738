"""What a bench may be told; the defaults are short, so that a first look takes minutes and not hours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`mails` of a burst; `tickets` in the store, by sizes; `seconds` of a measurement; `rate` in mails/s."""

    mails: int = 3000
    tickets: tuple[int, ...] = (10_000,)
    seconds: float = 5.0
    minutes: float = 2.0
    rate: float = 50.0
    rates: tuple[float, ...] = (1.0, 10.0, 100.0)
    clients: int = 32
