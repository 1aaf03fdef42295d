"""Projections give every image a point in the plane, in the panels of the drill-down of Section 4.6.

================  =========================================================================================
`registry`        the methods by name
`settings`        `ProjectionSettings`: method, outlier rule and seeds of a study
`drill_down`      the panels of Section 4.6: their images and their six taxa, at each rank
`project`         the coordinates of every image of every panel, and the record of the panels
`project_again`   one panel by further seeds, and vectors without structure
`cut_outliers`    the points that the drawing hides, by the rule of either mode
================  =========================================================================================

Names are loaded when first used: the command line reads the registry and the settings only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
