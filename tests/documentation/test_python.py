"""The Python in the README and the documentation names what there is, with arguments that there are."""

import ast
import functools
import inspect

import pytest

import bioclip_probe
from bioclip_probe.notebook.study import Study
from tests.support.documents import blocks

BLOCKS = blocks("python")
#: Names whose attributes can be followed without running anything.
KNOWN = {"bp": bioclip_probe, "study": Study}


def resolved(node):
    """Return what an expression such as ``bp.metrics.knn_purity`` names, or None where it cannot be followed."""
    if isinstance(node, ast.Name):
        return KNOWN.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := resolved(node.value)) is not None:
        if isinstance(owner, property | functools.cached_property):
            return None
        return getattr(owner, node.attr)
    return None


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_names_and_keywords_are_there(block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("bioclip_probe"):
            module = __import__(node.module, fromlist=["_"])
            assert all(hasattr(module, alias.name) for alias in node.names)
        if isinstance(node, ast.Attribute):
            resolved(node)
        if isinstance(node, ast.Call) and callable(function := resolved(node.func)):
            parameters = inspect.signature(function).parameters
            if not any(each.kind == each.VAR_KEYWORD for each in parameters.values()):
                assert {keyword.arg for keyword in node.keywords} <= set(parameters)
