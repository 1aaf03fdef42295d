"""Absolute paths leave no record; names, addresses and ids stay."""

from __future__ import annotations

import pytest

from bioclip_probe.study.machine_paths import is_absolute, without_paths

PATHS = {
    "inat21:/home/ada/val": "inat21:…/val",
    "inat21:/home/ada/my own pictures/val": "inat21:…/val",
    "/home/ada": "…",
    "/Users/Ada/": "…",
    "/root/": "…",
    "~/pictures": "…/pictures",
    "~": "~",
    "C:\\Users\\ada": "…",
    "C:\\Users\\ada\\birds.csv": "…/birds.csv",
    "C:/data/birds.csv": "…/birds.csv",
    "\\\\server\\share\\birds.csv": "…/birds.csv",
    "file:///home/ada/birds.csv": "…/birds.csv",
    "mine=local-dir:/models/mine": "mine=local-dir:…/mine",
    "ViT-B-16//home/ada/weights.pt": "ViT-B-16/…/weights.pt",
    "no file /home/ada/a.csv, nor '/home/ada/b.csv': see the log": "no file …/a.csv, nor '…/b.csv': see the log",
    "Compose(root='/home/ada/x')": "Compose(root='…/x')",
    "--data inat21:/data/val --out=/data/out": "--data inat21:…/val --out=…/out",
}
KEPT = (
    "hf-hub:imageomics/bioclip",
    "https://example.org/a/b",
    "ViT-B-16/openai",
    "Animalia/Chordata/1.jpg",
    "either/or",
    "1/2",
    "a / b",
    "Pica pica | (Linnaeus, 1758)",
    "",
)


@pytest.mark.parametrize("text", PATHS)
def test_of_an_absolute_path_only_the_last_name_stays(text: str) -> None:
    assert without_paths(text) == PATHS[text]


@pytest.mark.parametrize("text", KEPT)
def test_everything_else_stays(text: str) -> None:
    assert without_paths(text) == text
    assert not is_absolute(text)


@pytest.mark.parametrize("text", PATHS)
def test_a_second_pass_changes_nothing(text: str) -> None:
    once = without_paths(text)
    assert without_paths(once) == once


def test_lists_tables_and_keys_are_searched() -> None:
    found = without_paths({"/home/ada/a": [1, ("/home/ada/b", None)], "n": 2.5})
    assert found == {"…/a": [1, ["…/b", None]], "n": 2.5}
