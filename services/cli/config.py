"""`ombud config`: the settings as they are read, secrets masked."""

import sys
from typing import Any

from services.cli.console import Json, say_json
from services.settings import read_settings


def config(json: Json = False) -> None:
    """Print the settings in force; secrets are masked. Exits with 1 and names every fault."""
    settings = read_settings().model_dump(mode="json")
    if json:
        say_json(settings)
        return
    for name, value in sorted(_flat("OMBUD", settings)):
        sys.stdout.write(f"{name}={value}\n")


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    separator = "_" if prefix == "OMBUD" else "__"
    if isinstance(value, dict):
        return [
            pair for key, inner in value.items() for pair in _flat(f"{prefix}{separator}{key.upper()}", inner)
        ]
    return [(prefix, "" if value is None else value)]
