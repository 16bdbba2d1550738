"""People as a ticket knows them, and the address by which they are told apart."""

from pydantic import BaseModel


class Contact(BaseModel):
    """A person as mail knows them. `address` is in lower case."""

    address: str
    name: str = ""


class Participant(Contact):
    """Somebody who takes part; `confirmed` ones have a customer's rights, the others are only shown."""

    confirmed: bool = False


def bare_address(address: str) -> str:
    """The address by which people are told apart: lower case, without a `+tag`."""
    local, at, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"
