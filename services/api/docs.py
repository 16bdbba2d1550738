"""Documentation for people: `/docs` and `/docs/problems`, rendered here from the OpenAPI document.

No script and nothing from elsewhere: it works offline and under the strictest Content-Security-Policy.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from services.api.problems import KINDS

_FOLDER = Path(__file__).parent / "templates"
_CODE = re.compile(r"`([^`]+)`")
_METHODS = ("get", "post", "put", "patch", "delete")


def install(app: FastAPI) -> None:
    """Serve the pages."""
    templates = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["prose"] = prose
    templates.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-cache",
    }

    def page(name: str, **fields: Any) -> HTMLResponse:
        return HTMLResponse(templates.get_template(name).render(style=style, **fields), headers=headers)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        document = request.app.openapi()
        return page("docs.html", info=document["info"], groups=_groups(document), models=_models(document))

    @app.get("/docs/problems", include_in_schema=False)
    async def problems() -> HTMLResponse:
        return page("problems.html", kinds=list(KINDS.values()))


def prose(text: str) -> Markup:
    """Descriptions as HTML: a blank line parts paragraphs, backquotes are code, single breaks are spaces."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return Markup("<br><br>").join(
        Markup(_CODE.sub(r"<code>\1</code>", str(escape(part))))  # noqa: S704 (escaped just here)
        for part in paragraphs
    )


def _groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations by tag, in the order of the document."""
    groups = {tag["name"]: {**tag, "operations": []} for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                groups[operation["tags"][0]]["operations"].append(_operation(path, method, operation))
    return list(groups.values())


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    body = next((_name(media["schema"]) for media in content.values()), None)
    return {
        "id": operation["operationId"],
        "path": path,
        "method": method.upper(),
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [_parameter(one) for one in operation.get("parameters", [])],
        "body": body,
        "answers": [_answer(status, one) for status, one in operation["responses"].items()],
    }


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter["name"],
        "where": parameter["in"],
        "required": parameter.get("required", False),
        "type": _type(parameter["schema"]),
        "description": parameter.get("description", ""),
    }


def _answer(status: str, answer: dict[str, Any]) -> dict[str, Any]:
    media: dict[str, Any] = next(iter(answer.get("content", {}).values()), {})
    return {
        "status": status,
        "description": answer["description"],
        "model": _name(media.get("schema", {})),
        "codes": list(media.get("examples", {})),
        "headers": list(answer.get("headers", {})),
    }


def _models(document: dict[str, Any]) -> list[dict[str, Any]]:
    models = []
    for name, schema in sorted(document["components"]["schemas"].items()):
        required = schema.get("required", [])
        fields = [
            {
                "name": field,
                "type": _type(described),
                "required": field in required,
                "description": described.get("description", ""),
            }
            for field, described in schema.get("properties", {}).items()
        ]
        models.append(
            {
                "name": name,
                "description": schema.get("description", ""),
                "fields": fields,
                "values": schema.get("enum", []),
                "examples": schema.get("examples", []),
            }
        )
    return models


def _name(schema: dict[str, Any]) -> str | None:
    reference: str | None = schema.get("$ref")
    return reference.rpartition("/")[2] if reference else None


def _type(schema: dict[str, Any]) -> str:
    """What a value looks like, in a few words."""
    if name := _name(schema):
        return name
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(choice) for choice in choices)
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind
