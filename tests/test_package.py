"""What is installed: every file the package reads is in the wheel, everything it imports is declared."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bioclip_probe"
#: Extras whose packages are imported where they are used; one line says which is missing.
OPTIONAL = ("anndata", "cluster", "hugging-face", "notebook", "transformers")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_file_of_the_package_is_installed():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["bioclip_probe"]
    installed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    there = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in there if path.suffix != ".py"} == installed
    assert all((path.parent / "__init__.py").is_file() for path in there if path.suffix == ".py")


@pytest.mark.slow
def test_everything_imported_is_declared():
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    imported -= {*sys.stdlib_module_names, "bioclip_probe"}
    optional = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["project"]["dependencies"], *(line for name in OPTIONAL for line in optional[name])]
    declared = {plain(re.match(r"[\w.-]+", line)[0]) for line in lines}
    sources = importlib.metadata.packages_distributions()
    assert [name for name in sorted(imported) if not declared & set(map(plain, sources[name]))] == []


def plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
