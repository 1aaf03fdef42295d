"""The verification of a results folder, in three depths.

=========== ============================================================== ===========================
depth       passes if                                                      needs
=========== ============================================================== ===========================
``files``   no file is missing or has changed, and no file contradicts     the folder alone
            another
``numbers`` numbers that are recomputed from the stored vectors equal      the store
            those of the tables within rounding, with equal n
``vectors`` pictures that are embedded again get the stored vectors        the pictures and the models
=========== ============================================================== ===========================

The first depth finds accidents only, since somebody who changes a table can also write new checksums. The second finds
changed numbers and changed vectors. The third finds vectors that do not come from the named models. A depth that cannot
be run is *not checked*, never *passed*.
"""

from __future__ import annotations

from pathlib import Path

from bioclip_probe import provenance
from bioclip_probe.errors import DataError, TreeError
from bioclip_probe.study import results as study_results
from bioclip_probe.study.results import Results
from bioclip_probe.study.submission import numbers_digest, submission_of
from bioclip_probe.study.verification.files import check_agreement, check_sums
from bioclip_probe.study.verification.numbers import check_numbers
from bioclip_probe.study.verification.outcome import DEPTHS, Outcome, Verification
from bioclip_probe.study.verification.settings import DEFAULTS, VerifySettings
from bioclip_probe.study.verification.vectors import check_vectors
from bioclip_probe.tables import check_name


def verify(
    folder: str | Path,
    store: str | Path | None = None,
    depth: str | None = None,
    settings: VerifySettings = DEFAULTS,
) -> Verification:
    """Check that the files, numbers and vectors of a results folder are what the folder says they are.

    Parameters
    ----------
    folder : str or Path
    store : str or Path, optional
        The store with the vectors of the study.
    depth : str, optional
        ``files``, ``numbers`` or ``vectors``; each includes those before it. By default ``numbers`` if a store is
        named, else ``files``.
    settings : VerifySettings

    Returns
    -------
    Verification
        Its text has a line for each depth; ``passed`` is True if every depth that was asked for passed.

    Raises
    ------
    ProbeError
        If there is no such folder or depth, or no file of the phylogeny that the settings name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> from bioclip_probe.study.run import run_steps
    >>> with TemporaryDirectory() as folder:
    ...     results = run_steps(corvid_plan(folder), f"{folder}/store", f"{folder}/out", ["measure"])
    ...     print(verify(f"{folder}/out", f"{folder}/store"))
    files: passed (11 files)
      made again from the tables, not covered by SHA256SUMS: pieces
    numbers: passed (... numbers recomputed, equal within 1e-05)
      the primary endpoints alone, and the answers of the probe as the folder has them: --all for everything
    vectors: not checked
      not asked for: --depth vectors
    """
    folder = Path(folder)
    if depth is None:
        depth = "files" if store is None else "numbers"
    check_name("depth of verification", depth, DEPTHS)
    if not (folder / "runs.json").is_file():
        raise DataError(f"{folder} holds no results (no runs.json); expected a folder that a study has written")
    if settings.tree is not None and not Path(settings.tree).is_file():
        raise TreeError(f"cannot read the tree {settings.tree}: there is no such file")
    asked = DEPTHS[: DEPTHS.index(depth) + 1]
    files = check_sums(folder)
    try:
        results = study_results.read(folder)
    except DataError as error:
        unreadable = Outcome("files", files.checked, (*files.failures, str(error)), notes=files.notes)
        others = (Outcome(name, obstacles=("the tables cannot be read",)) for name in DEPTHS[1:])
        return Verification(folder, None, (unreadable, *others), asked)
    files = Outcome("files", files.checked, (*files.failures, *check_agreement(results)), notes=files.notes)
    outcomes = [files]
    for name, check in (("numbers", check_numbers), ("vectors", check_vectors)):
        if name in asked:
            outcomes.append(check(results, store, settings))
        else:
            outcomes.append(Outcome(name, obstacles=(f"not asked for: --depth {name}",)))
    protocol = results.record.get("protocol")
    return Verification(folder, protocol, tuple(outcomes), asked, provenance.now(), _numbers_digest(results))


def _numbers_digest(results: Results) -> str:
    """Return the digest of the primary numbers of a folder; empty if they cannot be read."""
    try:
        return numbers_digest(submission_of(results))
    except (DataError, KeyError, TypeError, ValueError):
        return ""
