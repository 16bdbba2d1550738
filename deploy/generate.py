"""Writes the files that are made from the code, or with `--check` compares them and fails when they differ.

`docs/metrics.md` from the catalogue, `docs/asyncapi.yaml` from the events, `docs/openapi.json` from the API,
`.env.example` from the settings.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.api.openapi import rendered as openapi
from services.settings import OmbudSettings
from shared.domain import events
from shared.domain.mail_fetched import TYPE as MAIL_FETCHED
from shared.metrics import CATALOGUE
from shared.runtime.settings import MailboxSettings

ROOT = Path(__file__).resolve().parent.parent


def metrics_page() -> str:
    """The catalogue of metrics as a page."""
    lines = [
        "# Metrics",
        "",
        "Made from `shared/metrics.py`. Every process answers `/metrics`.",
        "",
        "| metric | kind | labels | what it counts | what a rise means |",
        "|---|---|---|---|---|",
    ]
    for entry in CATALOGUE:
        labels = ", ".join(entry.labels) or "none"
        lines.append(f"| `{entry.name}` | {entry.kind} | {labels} | {entry.says} | {entry.rise} |")
    return "\n".join(lines) + "\n"


def asyncapi() -> str:
    """The events as AsyncAPI 3.0."""
    messages: dict[str, Any] = {
        MAIL_FETCHED: {
            "summary": "A mail stood in a mailbox. The value is the mail, or empty when it is in the blobs.",
            "contentType": "message/rfc822",
            "payload": {"type": "string", "format": "binary"},
        }
    }
    schemas: dict[str, Any] = {}
    for name, model in events.EVENTS.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
        payload = {"$ref": f"#/components/schemas/{model.__name__}"}
        summary = (model.__doc__ or "").splitlines()[0]
        messages[name] = {"summary": summary, "contentType": "application/json", "payload": payload}
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ombud events",
            "version": "1",
            "description": "CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_*` headers. "
            "At least once, in order for each key; only optional fields are ever added.",
        },
        "channels": {
            "mail": {"address": events.MAIL_TOPIC, "messages": _refs([MAIL_FETCHED])},
            "tickets": {"address": events.TICKETS_TOPIC, "messages": _refs(list(events.EVENTS))},
        },
        "components": {"messages": messages, "schemas": schemas},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def env_example() -> str:
    """Every setting with its default, as an environment file."""
    lines = ["# Every setting of Ombud with its default. Made from the settings classes.", ""]
    for name, field in OmbudSettings.model_fields.items():
        if name != "mailboxes":  # told below
            lines += _settings_of(f"OMBUD_{name.upper()}", field)
    lines += ["", "# A mailbox, here called SUPPORT; any number of them."]
    for name, field in MailboxSettings.model_fields.items():
        lines += _settings_of(f"OMBUD_MAILBOXES__SUPPORT__{name.upper()}", field)
    return "\n".join(lines) + "\n"


def _settings_of(variable: str, field: FieldInfo) -> list[str]:
    default = field.default
    if isinstance(default, BaseModel):
        inner = [
            line
            for name, nested in type(default).model_fields.items()
            for line in _settings_of(f"{variable}__{name.upper()}", _kept(nested, getattr(default, name)))
        ]
        return ["", *inner]
    said = f"# {field.description}\n" if field.description else ""
    if default is PydanticUndefined:
        return [f"{said}# {variable}=   (required)"]
    return [f"{said}# {variable}={_written(default)}"]


def _written(default: Any) -> Any:
    if default is None or "Secret" in type(default).__name__:
        return ""
    return json.dumps(default) if isinstance(default, list | dict) else default


def _kept(field: FieldInfo, default: Any) -> FieldInfo:
    return FieldInfo(default=default, description=field.description)


def _refs(names: list[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


FILES = {
    "docs/metrics.md": metrics_page,
    "docs/asyncapi.yaml": asyncapi,
    "docs/openapi.json": openapi,
    ".env.example": env_example,
}


def main() -> int:
    """Write or compare; returns the exit code."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, make in FILES.items():
        path, made = ROOT / name, make()
        if path.exists() and path.read_text() == made:
            continue
        stale.append(name)
        if not check:
            path.write_text(made)
    for name in stale:
        sys.stdout.write(f"{name} {'is not what the code makes: run `make docs`' if check else 'written'}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
