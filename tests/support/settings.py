"""Settings with few replicates, for tests of everything but intervals and p-values."""

from __future__ import annotations

from bioclip_probe.metrics.settings import MeasureSettings

#: Intervals and p-values are coarse; values are as they are.
FEW = MeasureSettings(
    n_permutations=19,
    n_primary_permutations=19,
    n_null_permutations=5,
    n_attainable_draws=3,
    n_bootstrap=29,
    n_model_permutations=19,
    n_hyperbolicity_species=10,
    n_hyperbolicity_draws=7,
)
