"""The catalogue of metrics: what it names is counted somewhere, and tells nothing of a person."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from shared import metrics
from shared.metrics import CATALOGUE, REGISTRY, Entry

ROOT = Path(__file__).parents[2]
SOURCES = {
    path: ast.parse(path.read_text())
    for path in chain((ROOT / "services").rglob("*.py"), (ROOT / "shared").rglob("*.py"))
    if path != ROOT / "shared" / "metrics.py"
}
NAMED = {
    name: metric for name, metric in vars(metrics).items() if isinstance(metric, Counter | Gauge | Histogram)
}
LABELS = {
    "collection", "dependency", "group", "kind", "mailbox", "method", "operation", "outcome",
    "reason", "route", "rung", "service", "status", "target", "topic", "version", "channel",
}  # fmt: skip
"""Labels whose values are few: settings, names of our own, closed sets."""
OF_ONE = {"id", "address", "customer", "customer_address", "sender", "to", "message_id", "subject", "number"}
"""Names of what belongs to one person, mail or ticket."""


def used(tree: ast.AST) -> Iterator[str]:
    """The names by which this source speaks of metrics."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "metrics"
        ):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id


def labelled(tree: ast.AST) -> Iterator[ast.expr]:
    """What this source gives as values of labels."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "labels":
            yield from node.args
            yield from (keyword.value for keyword in node.keywords)


def named_in(value: ast.expr) -> set[str]:
    nodes = list(ast.walk(value))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)} | {
        node.id for node in nodes if isinstance(node, ast.Name)
    }


def test_the_catalogue_holds_every_metric_that_is_registered_and_no_other() -> None:
    registered = {metric.name for metric in REGISTRY.collect()}

    assert {entry.name.removesuffix("_total") for entry in CATALOGUE} == registered
    assert len(CATALOGUE) == len(registered) == len(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_a_metric_of_the_catalogue_is_used_by_the_code(name: str) -> None:
    assert name in set(chain.from_iterable(map(used, SOURCES.values()))), f"nobody counts {name}"


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_a_metric_is_named_as_its_kind_asks_and_says_what_a_rise_means(entry: Entry) -> None:
    assert entry.name.startswith("ombud_")
    assert entry.name.endswith("_total") == (entry.kind == "counter")
    assert entry.name.endswith("_seconds") or entry.kind != "histogram"
    assert not entry.name.endswith(("_ms", "_millis", "_minutes", "_kb")), "base units"
    assert entry.says.endswith(".")
    assert entry.rise.endswith((".", ")"))
    assert "|" not in entry.says + entry.rise, "it would end a cell of the page"


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_a_metric_has_labels_of_few_values_alone(entry: Entry) -> None:
    assert set(entry.labels) <= LABELS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_label_is_given_what_belongs_to_one_person_mail_or_ticket(path: Path) -> None:
    told = set(chain.from_iterable(map(named_in, labelled(SOURCES[path]))))

    assert not told & OF_ONE


def test_a_label_with_an_id_in_it_would_be_found() -> None:
    (value,) = labelled(ast.parse("LETTERS.labels(f'{letter.id}').inc()"))

    assert named_in(value) & OF_ONE
