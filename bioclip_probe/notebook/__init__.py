"""The notebook: a study as an object, for Jupyter and for scripts. It is a second entrance beside the command line.

================  ==================================================================================
`inputs`          datasets and encoders from objects in memory
`running`         a study from a sample: measured, probed and projected
`study`           `Study`: a results folder as an object, with its methods
`figures`         the figures of a study, each a method
`measurements`    the numbers of a study, and the choice of some of them
`verdict`         the sentences of a study
================  ==================================================================================
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
