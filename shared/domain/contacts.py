"""People as a ticket knows them."""

from pydantic import BaseModel


class Contact(BaseModel):
    """A person as mail knows them. `address` is in lower case."""

    address: str
    name: str = ""


class Participant(Contact):
    """Somebody who takes part; `confirmed` ones have a customer's rights, the others are only shown."""

    confirmed: bool = False
