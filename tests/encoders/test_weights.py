"""Weights: files in folders, pickles that would run code, the cache of the hub, and the hub itself."""

import itertools
import json
import socket
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from bioclip_probe import encoders
from bioclip_probe.encoders.hub import NotDownloadedError, hub_weights, without_downloads
from bioclip_probe.encoders.weights import OPEN_CLIP_CONFIG, OPEN_CLIP_FILES, sha256_of_weights, weights_file
from bioclip_probe.errors import ModelError
from tests.support.model_folders import cached_snapshot, make_folder, use_cache, vectors_of

pytestmark = pytest.mark.slow


def test_the_hashed_weights_are_those_that_open_clip_takes(tmp_path):
    from open_clip.factory import _find_checkpoint_in_dir

    for number, names in enumerate(itertools.combinations(OPEN_CLIP_FILES, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        assert str(weights_file(folder, OPEN_CLIP_FILES)) == _find_checkpoint_in_dir(folder)


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def test_a_pickle_that_would_run_code_is_refused(tmp_path, pictures):
    folder = make_folder(tmp_path / "pickled", weights="open_clip_pytorch_model.bin")
    np.testing.assert_array_equal(
        vectors_of(encoders.load(f"local-dir:{folder}"), pictures), by_hand(f"local-dir:{folder}", None, pictures)
    )
    for zipped in [True, False]:
        torch.save(
            {"state_dict": Evil(tmp_path / "mark")},
            folder / "open_clip_pytorch_model.bin",
            _use_new_zipfile_serialization=zipped,
        )
        encoders.clear_cache()
        assert "damaged or holds more than weights" in fails(f"local-dir:{folder}")
        assert not (tmp_path / "mark").exists()


COMMIT = "5ca1ab1e" * 5


def by_hand(name, tag, images):
    model, _, transform = open_clip.create_model_and_transforms(name, pretrained=tag)
    with torch.no_grad():
        return model.eval().encode_image(torch.stack([transform(image) for image in images])).numpy()


SMALL = {  # of the same sizes of pictures and vectors as a ViT-B/16, with few weights
    "embed_dim": 512,
    "vision_cfg": {"image_size": 224, "layers": 2, "width": 64, "head_width": 16, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 520, "width": 32, "heads": 2, "layers": 1},
}


def random_weights(config):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return open_clip.CLIP(**config).state_dict()


@pytest.fixture(scope="module")
def by_name(tmp_path_factory):
    """A cache of the hub: random ViT-B/16 for BioCLIP (.bin) and CLIP, a smaller network for iNat21-only."""
    cache = tmp_path_factory.mktemp("by-name")
    full = open_clip.get_model_config("ViT-B-16")
    bioclip = cached_snapshot(cache, "imageomics/bioclip")
    inat_only = cached_snapshot(cache, "imageomics/bioclip-vit-b-16-inat-only")
    clip = cached_snapshot(cache, "timm/vit_base_patch16_clip_224.openai")
    weights = random_weights(full)
    torch.save(weights, bioclip / "open_clip_pytorch_model.bin")
    save_file(weights, clip / "open_clip_model.safetensors")
    save_file(random_weights(SMALL), inat_only / "open_clip_model.safetensors")
    preprocess = {"mean": [0.48, 0.457, 0.408], "std": [0.268, 0.261, 0.275]}
    for folder, config in ((bioclip, full), (inat_only, SMALL)):
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    yield cache
    for folder in (bioclip, clip):  # 1.2 GB, which would stay until the next runs
        for file in folder.iterdir():
            file.unlink()


@pytest.mark.parametrize("name, hand, file, activation", [
    ("bioclip", ("hf-hub:imageomics/bioclip", None), "open_clip_pytorch_model.bin", "gelu"),
    ("inat21-only", ("hf-hub:imageomics/bioclip-vit-b-16-inat-only", None), "open_clip_model.safetensors", "gelu"),
    ("clip", ("ViT-B-16-quickgelu", "openai"), "open_clip_model.safetensors", "quickgelu"),
])  # fmt: skip
def test_models_by_their_names_equal_open_clip_by_hand(by_name, monkeypatch, pictures, name, hand, file, activation):
    use_cache(by_name, monkeypatch)
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_OFFLINE", True
    )  # else open_clip by hand asks the hub at length
    images = pictures[:1]
    encoder = encoders.load(name, precision="fp32")
    vectors = vectors_of(encoder, images)
    np.testing.assert_allclose(vectors, by_hand(*hand, images), atol=1e-5)
    record = encoder.record
    assert (encoder.name, encoder.dimension, record["activation"]) == (name, 512, activation)
    assert list(record["files"]) == [file] and len(record["revision"]) == 40
    assert record["preprocessing"]["resize_mode"] == "shortest" and record["preprocessing"]["size"] == [224, 224]
    assert record["preprocessing"]["mean"][0] == (0.48145466 if name == "clip" else 0.48)
    if name == "bioclip":
        encoders.clear_cache()
        half = vectors_of(encoders.load(name, precision="bf16"), images)
        cosine = (half * vectors).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(vectors, axis=1)
        assert cosine.min() >= 0.999 and half.dtype == np.float32


def test_a_cached_model_loads_without_a_question_to_the_hub(cache, monkeypatch, pictures):
    folder = make_folder(cached_snapshot(cache, "org/tiny"))
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: pytest.fail("asked the hub"))
    encoder = encoders.load("hf-hub:org/tiny")
    assert (encoder.name, encoder.record["id"], encoder.record["revision"]) == (
        "org/tiny",
        "hf-hub:org/tiny",
        folder.name,
    )
    at_commit = encoders.load(f"hf-hub:org/tiny@{folder.name}")
    assert at_commit.fingerprint == encoder.fingerprint
    assert encoders.load("hf-hub:org/tiny", revision=folder.name).fingerprint == encoder.fingerprint
    local = encoders.load(f"local-dir:{folder}")
    assert local.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(vectors_of(local, pictures), vectors_of(encoder, pictures))


def fails(name) -> str:
    start = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        encoders.load(name)
    assert time.perf_counter() - start < 8 and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["bioclip", "clip", "bioclip-2", "siglip2", "hf-hub:imageomics/bioclip@7b4abf1"])
def test_an_unreachable_hub_is_an_error(cache, name):
    line = fails(name)
    assert "is not in the cache, and the hub cannot be reached" in line and "local-dir:PATH" in line


def test_a_user_may_be_offline_by_choice(cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    line = fails("bioclip")
    assert "(HF_HUB_OFFLINE is set)" in line and "local-dir:PATH" in line


def test_a_half_cached_model_is_not_used(cache):
    folder = cached_snapshot(cache, "imageomics/bioclip")
    (folder / "open_clip_config.json").write_text("{}")
    assert "not in the cache" in fails("bioclip")


def test_a_hub_that_never_answers_counts_as_unreachable(cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ModelError, match="cannot be reached"):
            hub_weights("imageomics/bioclip", None, OPEN_CLIP_FILES, OPEN_CLIP_CONFIG, timeout=0.5)


def test_a_text_that_is_no_repository_name_is_refused(cache):
    assert "is not the name of a repository" in fails("hf-hub:a b/c")


@pytest.fixture
def hub(cache, tmp_path, monkeypatch):
    """A server that speaks as much of the hub's protocol as a download needs; -> (its folder, paths asked for)."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def reply(self, status, body=b"", **headers):
            self.send_response(status)
            for key, value in ({"Content-Length": len(body)} | headers).items():
                self.send_header(key.replace("_", "-"), str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self):
            path = self.path.split("?")[0]
            asked.append(path)
            files = sorted(file for file in folder.iterdir())
            if "org/gated" in path:
                self.reply(403, X_Error_Code="GatedRepo")
            elif "org/secret" in path:
                self.reply(401)
            elif "org/broken" in path:
                self.reply(500)
            elif "org/tiny" not in path:
                self.reply(404, X_Error_Code="RepoNotFound")
            elif path.startswith("/api") and "/revision/" in path and path.split("/")[-1] not in ("main", "v1", COMMIT):
                self.reply(404, X_Error_Code="RevisionNotFound")
            elif path.startswith("/api") and "/tree/" in path:
                tree = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": f"{f.name:>040}"} for f in files
                ]
                self.reply(200, json.dumps(tree).encode(), Content_Type="application/json")
            elif path.startswith("/api"):
                siblings = [{"rfilename": file.name, "size": file.stat().st_size} for file in files]
                info = {"id": "org/tiny", "sha": COMMIT, "siblings": siblings}
                self.reply(200, json.dumps(info).encode(), Content_Type="application/json")
            else:
                file = folder / path.split("/")[-1]
                self.reply(200, file.read_bytes(), ETag=f'"{file.name}"', X_Repo_Commit=COMMIT)

        do_HEAD = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
    )
    yield folder, asked
    server.shutdown()
    server.server_close()


def test_a_download_takes_one_weights_file_and_is_then_cached(hub, cache, pictures):
    folder, asked = hub
    make_folder(folder)
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"never asked for")
    encoder = encoders.load("hf-hub:org/tiny")
    assert encoder.record["revision"] == COMMIT
    assert encoder.record["sha256"] == sha256_of_weights(folder / "open_clip_model.safetensors")
    assert encoder.encode_text(["the waves"]).shape == (1, 24)  # its vocabulary came along
    assert not any(path.endswith(".bin") for path in asked)
    asked.clear()
    encoders.clear_cache()
    assert encoders.load("hf-hub:org/tiny").fingerprint == encoder.fingerprint
    assert asked == []
    assert encoders.load("hf-hub:org/tiny@v1").record["revision"] == COMMIT


def test_a_download_may_be_forbidden_and_its_size_asked_for(hub, cache):
    folder, asked = hub
    make_folder(folder)
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"never asked for")
    with without_downloads(), pytest.raises(ModelError, match="org/tiny is not in the cache") as told:
        encoders.load("hf-hub:org/tiny")
    assert asked == []
    lacking = told.value.__cause__
    assert isinstance(lacking, NotDownloadedError)
    assert lacking.n_bytes() == sum(file.stat().st_size for file in folder.iterdir()) - len(b"never asked for")
    encoders.load("hf-hub:org/tiny")
    with without_downloads():
        encoders.clear_cache()
        assert encoders.load("hf-hub:org/tiny").dimension == 24
    with without_downloads(), pytest.raises(ModelError) as told:
        encoders.load("hf-hub:org/none")
    with pytest.raises(ModelError, match="the hub has no repository org/none"):
        told.value.__cause__.n_bytes()


def test_the_error_says_what_the_hub_does_not_have(hub):
    folder, _ = hub
    assert "org/gated is for members only; accept its terms there and set HF_TOKEN, or copy its folder" in fails(
        "hf-hub:org/gated"
    )
    assert "the hub refuses org/secret (status 401): set HF_TOKEN" in fails("hf-hub:org/secret")
    assert "org/broken (revision v1) is not in the cache, and the hub cannot be reached" in fails(
        "hf-hub:org/broken@v1"
    )
    assert "the hub has no repository org/none, or a private one" in fails("hf-hub:org/none")
    assert "has no open_clip_model.safetensors" in fails("hf-hub:org/tiny")
    (folder / "open_clip_model.safetensors").write_bytes(b"")
    assert "has no open_clip_config.json" in fails("hf-hub:org/tiny")
    assert "no revision 'v2'" in fails("hf-hub:org/tiny@v2")


def test_compressed_weights_are_refused(tmp_path):
    folder = make_folder(tmp_path / "packed", weights="open_clip_pytorch_model.bin")
    path = folder / "open_clip_pytorch_model.bin"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ModelError, match="it is compressed, which torch never does"):
        encoders.load(f"local-dir:{folder}")
