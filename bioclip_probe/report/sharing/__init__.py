"""Sharing: what leaves a laboratory of a study, and the board of what many laboratories submit. Nothing is uploaded."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
