"""Results of made-up studies for the appendix: some whose names are commands of LaTeX."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from bioclip_probe.study.families import with_adjusted_p
from bioclip_probe.study.results import Results
from bioclip_probe.tables import MEASUREMENTS
from tests.support.drawn_study import measurements

#: Names that LaTeX, Markdown or a shell takes for commands, letters that no font of LaTeX has, and long words.
HOSTILE = (
    "A & B_1 50% # {}~^\\",
    "\\input{x}",
    "\\end{document}",
    "$x$ `code` *b* [a](javascript:b) <b> | \"q\" 'r' --- ?`",
    "猫 Кошка γάτα",
    "x" * 120,
    "W" * 80,
    "a/very/long/path/" * 6,
)
_REAL = {"bioclip": "hf-hub:imageomics/bioclip@7b4abf1", "clip": "ViT-B-16-quickgelu/openai"}


@dataclass(frozen=True)
class Compiled:
    """An appendix, the log of LaTeX, and the text of the PDF."""

    results: Results
    folder: Path
    log: str
    text: str


def made_up_results(
    folder: Path,
    models: tuple[str, ...] = ("bioclip", "clip"),
    controls: tuple[str, ...] = ("pixels", "color-histogram"),
    names: tuple[str, ...] = (),
    simulated: bool = False,
) -> Results:
    """Return results of a study; `names` stand wherever a name may stand."""
    table = measurements(models, controls)
    name = names[0] if names else "inat21-val"
    table = MEASUREMENTS.check(table.assign(dataset=name, simulated=simulated, p_value=0.003))
    table = with_adjusted_p(table, list(controls))
    encoders = [_encoder(model, control=False) for model in models]
    encoders += [_encoder(control, control=True) for control in controls]
    matches = [_match(taxon, matched=number > 2) for number, taxon in enumerate([*names, *"abcde"])]
    command = f"bioclip-probe reproduce --data 'inat21:{name}'"
    plan = {"data": f"inat21:{name}", "confounds": list(names), "strata": list(names)}
    step = {"command": command, "finished": "2026-11-27T13:39:03+00:00", "seconds": 134.0, "plan": plan}
    measure = {"resample": "species", "seed": 3, "level": 0.95, "n_permutations": 999, "n_groups": 20}
    measure |= {"n_primary_permutations": 9999, "n_bootstrap": 999, "device": "auto"}
    probe = {"probes": ["linear"], "protocols": ["unseen"], "shots": [1, 5], "templates": "openai", "seed": 3}
    record = {
        "run": "0123456789ab",
        "dataset": {
            "name": name,
            "fingerprint": "815716642efa",
            "simulated": simulated,
            "n_images": 1200,
            "n_usable": 1190,
            "taxa": {"genus": 96, "species": 240},
            "splits": {"seen": 960, **dict.fromkeys(names, 30)},
            "notes": list(names),
        },
        "audit": [
            {"finding": "homonym", "rank": "genus", "name": taxon, "count": 2, "detail": f"{taxon} twice"}
            for taxon in names
        ],
        "trees": {
            (names[0] if names else "birds"): {
                "tips": 7,
                "unit": "Myr",
                "ultrametric": True,
                "rank": "species",
                "notes": list(names),
                "matches": matches,
            }
        },
        "encoders": encoders,
        "failures": {models[0]: [{"image_id": taxon, "error": f"{taxon} is corrupt"} for taxon in names]},
        "software": {"python": "3.11.7", "bioclip_probe": "0.1.0"},
        "machine": {"system": "Linux", "processor": "x86_64", "cores": 2},
        "steps": {
            "measure": {**step, "settings": measure},
            "probe": {**step, "settings": probe},
            "project": {**step, "settings": {"methods": ["tsne", "umap"], "mode": "corrected", "seed": 3}},
        },
    }
    return Results(folder, record, table)


def latex(path: Path) -> str:
    """Compile a file by LaTeX, and return its log."""
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, timeout=600, check=False)
    log = path.with_suffix(".log").read_text("utf-8", errors="replace")
    assert done.returncode == 0, log[-3000:]
    return log


def _encoder(name: str, control: bool) -> dict:
    """Return the record of an encoder."""
    id = f"control:{name}" if control else _REAL.get(name, f"local-dir:{name}")
    preprocessing = {"size": 224, "mean": [0.48, 0.46, 0.41], "interpolation": "bicubic", "note": name}
    sha256 = "" if control else "e8cbf18b916d0d517b079bf407b81db8457009015bf93053fbe9fb47132293b5"
    return {"name": name, "id": id, "control": control, "sha256": sha256, "preprocessing": preprocessing,
            "precision": "fp32", "device": "cpu", "dimension": 512, "revision": "7b4abf1" * (not control)}  # fmt: skip


def _match(taxon: str, matched: bool) -> dict:
    """Return how a taxon matched a tree."""
    return {"name": taxon, "matched": matched, "reason": f"no tip is called {taxon}", "n_images": 5}
