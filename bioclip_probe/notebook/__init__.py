"""The notebook: a study as an object, for Jupyter and for scripts. It is a front door, as the command line is.

================  ==================================================================================
`inputs`          what a user has in memory becomes a dataset or an encoder
`running`         a sample becomes a study: measured, probed and projected
`study`           `Study`: a results folder, and what can be asked of it
`figures`         the figures of a study, each a method
`measurements`    the numbers of a study, and how some of them are picked
`verdict`         what a study says, in sentences
================  ==================================================================================
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
