"""The built-in, *simulated* world: five pictures of each of its 240 species, drawn on demand.

No picture was used to train the world's models. Split ``seen`` holds other individuals of species they were trained on,
split ``unseen`` species held out of training.
"""

from __future__ import annotations

from functools import partial

import pandas as pd
from PIL import Image

from bioclip_probe import world
from bioclip_probe.datasets.dataset import Dataset, fingerprint_of
from bioclip_probe.errors import DataError
from bioclip_probe.files import sha256_of_chunks
from bioclip_probe.tables import IMAGES, RANKS
from bioclip_probe.world.splits import EVALUATION

_PROBED = 24  # pictures drawn for the fingerprint: a change of the drawing code or of Pillow changes it


def load(seed: int = world.SEED) -> Dataset:
    """The evaluation pictures of the world grown from `seed`; the models belong to the default one."""
    taxa = world.taxa(seed)
    kinds = pd.DataFrame(
        {
            "row": taxa.index,
            "split": ["seen" if seen else "unseen" for seen in world.seen(seed)],
            "common": pd.array([name or None for name in world.common_names(seed)], "str"),
        }
    )
    frame = pd.concat([taxa[list(RANKS)], kinds], axis=1).merge(pd.DataFrame({"number": EVALUATION}), how="cross")
    key = frame["row"].map("{:03d}".format) + "/" + frame["number"].astype("str")
    images = IMAGES.frame(
        frame.drop(columns=["row", "number"]).assign(
            source=key, image_id="world-" + key.str.replace("/", "-"), group="observation-" + key.str.replace("/", "-")
        )
    )
    opener = partial(_open, seed=seed)
    sample = key.iloc[:: max(1, len(key) // _PROBED)]
    drawn = sha256_of_chunks(opener(source).tobytes() for source in sample)
    return Dataset(
        name="world",
        images=images,
        open=opener,
        fingerprint=fingerprint_of(images, (seed, drawn)),
        simulated=True,
        tree=world.tree(seed),
        notes=(
            "simulated: drawn pictures of invented species",
            "split 'unseen': species that no model of the world was trained on; of the 192 'seen' world-subset saw 48",
        ),
    )


def _open(source: str, seed: int) -> Image.Image:
    species, _, number = str(source).partition("/")
    if not (species.isdecimal() and number.isdecimal() and int(species) < len(world.taxa(seed))):
        raise DataError(f"the world has no picture '{source}'; its keys look like 017/3 (species, individual)")
    return world.render(int(species), int(number), seed)
