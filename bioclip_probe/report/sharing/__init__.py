"""Sharing: the files of a study for other laboratories, and the board of many submissions. Nothing is uploaded."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
