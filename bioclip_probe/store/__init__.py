"""The store: embeddings on disk, memory-mapped, with one row for every image."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
