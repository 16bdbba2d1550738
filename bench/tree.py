"""The tree in figures, to hold beside others: `python -m bench.tree`. It reads files and runs none.

Lines are counted as they stand, a function's from `def` to its last. A knot is a set of modules that import
one another, imports inside functions and for types alone included.
"""

import ast
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
OURS = ("services", "shared")

Function = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def files_of(*rooms: str) -> list[Path]:
    """The Python files of these folders that say anything."""
    found = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    return sorted(file for file in found if file.read_text().strip())


def lines_of(file: Path) -> int:
    """Lines of a file."""
    return len(file.read_text().splitlines())


def functions_of(files: Sequence[Path]) -> list[Function]:
    """Every function and method."""
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    return [node for node in nodes if isinstance(node, Function)]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Expr) -> int:
    """Lines of a node."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def docstrings_of(files: Sequence[Path]) -> Iterator[ast.Expr]:
    """The docstrings of modules, classes and functions."""
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                first = node.body[0]
                assert isinstance(first, ast.Expr)
                yield first


def knots() -> list[set[str]]:
    """Sets of modules that import one another."""
    graph = grimp.build_graph(*OURS)
    behind = {name: graph.find_upstream_modules(name) for name in graph.modules}
    circling = {name for name, reached in behind.items() if any(name in behind[one] for one in reached)}
    found: list[set[str]] = []
    for name in sorted(circling):
        if not any(name in knot for knot in found):
            found.append({name} | {one for one in behind[name] if name in behind[one]})
    return found


def spread(numbers: Sequence[int]) -> str:
    """Median, p90 and greatest."""
    p90 = statistics.quantiles(numbers, n=10)[8]
    return f"{statistics.median(numbers):.0f} / {p90:.0f} / {max(numbers)}"


def main() -> None:
    """Print a line for each figure."""
    code, tests = files_of(*OURS), files_of("tests")
    functions = functions_of(code)
    handlers = functions_of([file for file in code if file.name == "handlers.py"])
    total = sum(map(lines_of, code))
    annotated = sum(function.returns is not None for function in functions) / len(functions)
    pinned = (ROOT / "requirements.lock").read_text().partition("development")[0]
    figures = {
        "files": str(len(code)),
        "lines": str(total),
        "lines a file, median / p90 / max": spread([lines_of(file) for file in code]),
        "lines a function, median / p90 / max": spread([length(one) for one in functions]),
        "lines a function of handlers.py": spread([length(one) for one in handlers]),
        "docstring lines": f"{sum(map(length, docstrings_of(code))) / total:.0%}",
        "files that open with a docstring": f"{sum(_opens_with_one(file) for file in code)} of {len(code)}",
        "functions with a return annotation": f"{annotated:.1%}",
        "import knots": str(len(knots())),
        "lines of tests a line of code": f"{sum(map(lines_of, tests)) / total:.2f}",
        "packages at run time": str(sum("==" in line for line in pinned.splitlines())),
    }
    for name, figure in figures.items():
        sys.stdout.write(f"{name:<40} {figure}\n")


def _opens_with_one(file: Path) -> bool:
    return ast.get_docstring(ast.parse(file.read_text())) is not None


if __name__ == "__main__":
    main()
