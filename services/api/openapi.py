"""The OpenAPI document: made from the routes, committed as `docs/openapi.json`, compared in the tests.

python -m services.api.openapi        writes docs/openapi.json
"""

import json
from pathlib import Path

from services.api.app import openapi_document

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def rendered() -> str:
    """The document as it is committed."""
    return json.dumps(openapi_document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the committed document anew."""
    COMMITTED.parent.mkdir(exist_ok=True)
    COMMITTED.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()
