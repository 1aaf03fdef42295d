"""Settings of Sphinx for the documentation, built by ``make docs``: offline, and with warnings as errors."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

import numpydoc.xref  # noqa: E402
import staging  # noqa: E402

import bioclip_probe  # noqa: E402

project = "bioclip_probe"
author = "The bioclip_probe developers"
project_copyright = "the bioclip_probe developers. MIT licence"
version = release = bioclip_probe.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "staging",  # the sources, the notebooks and the pages of the reference, copied beside the built pages
    "code_names",  # names in single backticks, in docstrings
    "registry_pages",  # directives: metric, shelf, columns
    "command_pages",  # directive: commands
    "offline",  # no built page may ask the network for anything
]
templates_path = [str(HERE / "_templates")]
exclude_patterns = ["included"]
nitpicky = True
suppress_warnings = ["config.cache"]

# Docstrings. numpydoc gives the types of parameters in words, so that signatures need no annotations.
default_role = "code-name"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = True
autosummary_imported_members = True
numpydoc_show_class_members = False
numpydoc_use_plots = False
numpydoc.xref.DEFAULT_LINKS.clear()  # they lead to the documentation of Python, which needs a network
numpydoc_xref_param_type = True  # types of parameters lead to the classes of the package; other words stay words
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = staging.classes()

# Markdown and notebooks. `staging` says which notebooks are executed already.
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_ipywidgets_js = {}  # would be loaded from the network
nb_merge_streams = True

# MathJax as one file without fonts. Its menu would load parts of itself from the network.
_mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax" / "tex-svg.js"
mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "pydata_sphinx_theme"
html_title = "bioclip_probe"
html_static_path = [str(HERE / "_static"), str(_mathjax)]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "bioclip_probe"},
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
