"""The built-in, *simulated* world: five pictures of each of its 240 species, drawn on demand.

No picture was used to train the world's models. The split ``seen`` holds other individuals of the species that they
were trained on, the split ``unseen`` species that were held out of training.
"""

from __future__ import annotations

from functools import lru_cache, partial

import pandas as pd
from PIL import Image

from bioclip_probe import world
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.identity import fingerprint_of
from bioclip_probe.errors import DataError
from bioclip_probe.files import sha256_of_chunks
from bioclip_probe.tables import IMAGES, RANKS
from bioclip_probe.world.splits import EVALUATION

# Pictures drawn for the fingerprint, so that a change of the drawing code or of Pillow changes it.
_N_SAMPLED = 24
# Pictures kept in memory, 16 kB each: the explorer of a study shows those that were embedded minutes ago.
_N_KEPT = 2048


def load(seed: int = world.SEED) -> Dataset:
    """Return the evaluation pictures of the built-in world.

    Parameters
    ----------
    seed : int
        Seed that the world grows from. The models belong to the default one.

    Returns
    -------
    Dataset
        With its true tree; `simulated` is True.

    Examples
    --------
    >>> dataset = load()
    >>> len(dataset), dataset.simulated
    (1200, True)
    """
    taxa = world.taxa(seed)
    species = pd.DataFrame(
        {
            "row": taxa.index,
            "split": ["seen" if seen else "unseen" for seen in world.seen_in_training(seed)],
            "common": pd.array([name or None for name in world.common_names(seed)], "str"),
        }
    )
    frame = pd.concat([taxa[list(RANKS)], species], axis=1).merge(pd.DataFrame({"number": EVALUATION}), how="cross")
    key = frame["row"].map("{:03d}".format) + "/" + frame["number"].astype("str")
    images = IMAGES.frame(
        frame.drop(columns=["row", "number"]).assign(
            source=key, image_id="world-" + key.str.replace("/", "-"), group="observation-" + key.str.replace("/", "-")
        )
    )
    opener = partial(_draw, seed=seed)
    sample = key.iloc[:: max(1, len(key) // _N_SAMPLED)]
    digest = sha256_of_chunks(opener(source).tobytes() for source in sample)
    return Dataset(
        name="world",
        images=images,
        open=opener,
        identity=fingerprint_of(images, (seed, digest)),
        simulated=True,
        tree=world.tree(seed),
        notes=(
            "simulated: drawn pictures of invented species",
            "split 'unseen': species that no model of the world was trained on; of the 192 'seen' world-subset saw 48",
        ),
    )


def _draw(source: str, seed: int) -> Image.Image:
    species, _, number = str(source).partition("/")
    if not (species.isdecimal() and number.isdecimal() and int(species) < len(world.tree(seed).tips)):
        raise DataError(f"the world has no picture '{source}'; its keys look like 017/3 (species, individual)")
    return _rendered(int(species), int(number), seed).copy()


@lru_cache(_N_KEPT)
def _rendered(species: int, individual: int, seed: int) -> Image.Image:
    return world.render(species, individual, seed)
