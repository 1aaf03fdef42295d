"""Tests of the README and of the pages in docs/: their commands, their links, and that no metric is left out."""
