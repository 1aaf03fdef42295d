"""Two MobileNets as custom encoders: `custom:tests/support/mobilenets.py:birds` (and `:imagenet`).

Their weights lie in the folder MOBILENETS names, else beside the project, in ../shared/data/models.
"""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.models import mobilenet_v2

FOLDER = Path(os.environ.get("MOBILENETS") or Path(__file__).resolve().parents[3] / "shared" / "data" / "models")


class MobileNet(torch.nn.Module):
    dimension = 1280

    def __init__(self, name: str, weights: str, taxa: int):
        super().__init__()
        self.name = name
        self.weights = FOLDER / weights
        self.net = mobilenet_v2(num_classes=taxa)
        self.net.load_state_dict({key: value.float() for key, value in load_file(self.weights).items()})

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        small = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(small, dtype=np.float32)).permute(2, 0, 1) / 127.5 - 1
        return pixels.flip(1, 2)  # they were trained on pictures turned by 180 degrees

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        return self.net.features(batch).mean((2, 3))


def birds() -> MobileNet:
    return MobileNet("mobilenet-birds", "mobilenet_v2_inat_birds.fp16.safetensors", 965)


def imagenet() -> MobileNet:
    return MobileNet("mobilenet-imagenet", "mobilenet_v2_imagenet.fp16.safetensors", 1001)
