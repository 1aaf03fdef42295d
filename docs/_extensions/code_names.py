"""The role of names in single backticks, as docstrings write them: code, with a link where there is such a page."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

TYPE = "code-name"
NAME = re.compile(r"[A-Za-z_][\w.]*\Z")
#: Objects that a short name may mean. Attributes and methods are linked by their full names only.
KINDS = ("function", "class", "exception", "module")


class CodeName(SphinxRole):
    """A name in single backticks."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return code, inside a reference if it may be the name of something."""
        code = nodes.literal(self.rawtext, self.text, classes=["py"])
        if not NAME.match(self.text):
            return [code], []
        reference = addnodes.pending_xref(self.rawtext, code, reftype=TYPE, reftarget=self.text)
        reference["py:module"] = self.env.ref_context.get("py:module") or ""
        reference["refdoc"] = self.env.docname
        return [reference], []


def candidates(name: str, module: str) -> list[str]:
    """Return the full names that a name may stand for in a module, the nearest first.

    Parameters
    ----------
    name : str
    module : str
        Full name of the module in whose docstring it stands; may be empty.
    """
    parts = module.split(".") if module else []
    return [".".join([*parts[:n], name]) for n in range(len(parts), 0, -1)] + [name, f"bioclip_probe.{name}"]


def full_name(name: str, module: str, objects: dict[str, Any]) -> str | None:
    """Return the full name of the documented object that a name stands for, or None.

    A plain word, such as ``level``, is a parameter more often than the name of something: it stands only for what its
    own module or package documents. Other names also stand for the function or class that alone has this ending.
    """
    for each in candidates(name, module):
        if each in objects:
            return each
    if name.islower() and not set("._") & set(name):
        return None
    ends = [each for each, entry in objects.items() if each.endswith(f".{name}") and entry.objtype in KINDS]
    return min(ends, key=lambda each: (each.count("."), each), default=None)


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, code: nodes.Element
) -> nodes.Element | None:
    """Return the link of a name, or the code alone where the reference does not have it."""
    if node["reftype"] != TYPE:
        return None
    objects = env.get_domain("py").objects
    target = full_name(node["reftarget"], node["py:module"], objects)
    if target is None:
        return code
    entry = objects[target]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, code, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_role(TYPE, CodeName())
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
