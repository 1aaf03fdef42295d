"""The reproduction appendix of a study: LaTeX and Markdown files for a paper, made from a results folder."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
