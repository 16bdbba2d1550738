"""The same database by the plain driver, to look behind our adapter."""

from typing import Any

Database = Any
"""The plain driver's database; it has no type that knows our documents."""
