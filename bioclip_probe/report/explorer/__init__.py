"""The explorer: one HTML file in which a study can be walked through, from all life to one picture."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
