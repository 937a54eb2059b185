"""The stub of the compiled extension names the functions that exist, with their arguments."""

import ast
import re
from pathlib import Path

import pytest

import equipoise
from equipoise import _core

STUB = ast.parse(Path(equipoise.__file__).with_name("_core.pyi").read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
KINDS = {
    "float": "float", "int": "int", "None": "None", "Array": "float64", "Floats": "float32", "Index": "int64",
    "Ints": "int32", "Words": "uint64", "HalfWords": "uint32", "Shorts": "uint16", "Halves": "int16", "Bytes": "uint8",
}  # fmt: skip


def signature(name):
    """Argument names, their kinds and the kind that comes back, as the compiled function tells them."""
    inner, back = re.match(r"\w+\((.*)\) -> (\w+)", getattr(_core, name).__doc__).groups()
    arguments = re.findall(r"(\w+): (float|int|ndarray\[dtype=(\w+))", inner)
    return [(name, dtype or plain) for name, plain, dtype in arguments], back


def test_the_same_functions():
    compiled = {name for name in vars(_core) if not name.startswith("__")}
    assert set(FUNCTIONS) == compiled
    assert len(FUNCTIONS) > 20


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_arguments(name):
    stub = FUNCTIONS[name]
    arguments = [(a.arg, KINDS[ast.unparse(a.annotation)]) for a in stub.args.args]
    assert (arguments, KINDS[ast.unparse(stub.returns)]) == signature(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_is_described(name):
    assert ast.get_docstring(FUNCTIONS[name])
