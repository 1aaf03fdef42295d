"""Tars by folder, path and pattern: their pictures, or one clear line."""

import io
import logging
import os
import shlex
import shutil
import subprocess
import tarfile

import numpy as np
import pytest
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.datasets.readers import tars
from bioclip_probe.datasets.readers.tar_members import index_tar
from bioclip_probe.errors import DataError, PictureError
from tests.support.tars import COLOURS, load_colours, shard_members, write_tar, write_three


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("a.tar:512", "missing"),
        ("a.tar:-1:5", "missing"),
        ("a.tar:0x0:5", "missing"),
        ("a.tar:٣:5", "missing"),
        ("a.tar: 1:5", "missing"),
        ("../a.tar:512:9", "missing"),
        ("b/../../a.tar:512:9", "missing"),
        ("/etc/passwd:0:9", "missing"),
        ("a\0.tar:0:9", "missing"),
        ("none.tar:512:9", "missing"),
        ("a.tar/b:512:9", "missing"),
        (".:0:9", "missing"),
        ("a.tar:512:999999999999", "too large"),
        ("a.tar:999999999999:9", "corrupt"),
        ("a.tar:512:0", "empty"),
        ("a.tar:0:300", "no picture"),
    ],
)
def test_malformed_sources_are_refused(tmp_path, source, kind):
    (tmp_path / "d").mkdir()
    write_tar(tmp_path / "d" / "a.tar", shard_members("1"))
    with pytest.raises(PictureError) as caught:
        tars.TarPictures(tmp_path / "d")(source)
    assert caught.value.kind == kind
    assert str(caught.value).isprintable()


def test_a_tar_that_is_cut_or_deleted_after_indexing(tmp_path):
    path = write_three(tmp_path / "a.tar")
    dataset = datasets.load(f"webdataset:{path}")
    os.truncate(path, path.stat().st_size // 20)
    with pytest.raises(PictureError, match=r"the tar breaks off, 0 of \d+ bytes are there"):
        dataset.open(dataset.images["source"][2])
    path.unlink()
    with pytest.raises(PictureError, match="no such tar"):
        dataset.open(dataset.images["source"][2])


def test_a_changed_tar_has_another_fingerprint(tmp_path):
    path = write_three(tmp_path / "a.tar")
    first = datasets.load(f"webdataset:{path}").fingerprint
    assert datasets.load(f"webdataset:{path}").fingerprint == first
    os.utime(path, (1, 1))  # content counts, and not the time of its last change
    assert datasets.load(f"webdataset:{path}").fingerprint == first
    with open(path, "ab") as file:
        file.write(bytes(512))
    assert datasets.load(f"webdataset:{path}").fingerprint != first


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("place", ["", "a.tar.{mode}", "*.tar.*"])
def test_a_compressed_tar_is_refused_with_the_command_that_unpacks_it(tmp_path, mode, place):
    folder = tmp_path / "it's here"
    write_three(folder / "a.tar")
    with tarfile.open(folder / f"a.tar.{mode}", f"w:{mode}") as packed, tarfile.open(folder / "a.tar") as tar:
        for info in tar:
            packed.addfile(info, tar.extractfile(info))
    (folder / "a.tar").unlink()
    with pytest.raises(DataError, match=r"compressed tars, whose members cannot be reached: .*unpack each") as caught:
        datasets.load(f"webdataset:{folder / place.format(mode=mode)}")
    program, file = shlex.split(str(caught.value).rpartition("unpack each to .tar: ")[2])
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    subprocess.run([program, file], check=True)
    assert load_colours(folder)[0] == dict(zip("012", COLOURS, strict=True))


@pytest.mark.parametrize("name", [f"a{ending}" for ending in tars.COMPRESSED])
def test_every_kind_of_compressed_tar_has_its_command(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"unpack each to \.tar: (gunzip|bunzip2|unxz|unzstd --rm) {tmp_path}/{name}"):
        datasets.load(f"webdataset:{tmp_path}")


def test_a_warning_names_compressed_tars_that_are_not_unpacked(tmp_path, caplog):
    write_three(tmp_path / "a.b.tar")
    for name in ("a.b.tar.gz", "a.b.tgz", "c.tar.xz", "d.tgz"):
        (tmp_path / name).touch()
    assert len(load_colours(tmp_path)[0]) == 3
    (message,) = [record.getMessage() for record in caplog.records]
    assert "2 compressed tars left out, whose members cannot be reached: c.tar.xz, d.tgz; unpack each" in message
    assert message.endswith(f"to .tar: unxz {tmp_path}/c.tar.xz")


def test_a_large_picture_is_read_completely(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, "PNG")
    write_tar(tmp_path / "a.tar", [("1.png", content.getvalue())])
    member = index_tar(tmp_path, "a.tar").members[0]
    opened = tars.TarPictures(tmp_path)(f"a.tar:{member.start}:{member.size}")
    assert np.array_equal(np.asarray(opened), noise)


def test_links_to_tars_are_followed_and_pipes_are_not_opened(tmp_path):
    write_three(tmp_path / "elsewhere" / "a.tar")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.tar").symlink_to(tmp_path / "elsewhere" / "a.tar")
    os.mkfifo(tmp_path / "set" / "b.tar")
    (tmp_path / "set" / "c.tar").mkdir()
    assert load_colours(tmp_path / "set")[0] == dict(zip("012", COLOURS, strict=True))
    with pytest.raises(DataError, match="no such tar"):
        datasets.load(f"webdataset:{tmp_path}/set/b.tar")


def test_long_reading_logs_its_progress(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="bioclip_probe")
    for number in range(3):
        write_tar(tmp_path / f"{number}.tar", shard_members(str(number)))
    tars.list_pictures(tmp_path, [f"{number}.tar" for number in range(3)], seconds_between_lines=0.0)
    assert [record.getMessage().split(": ")[1][:16] for record in caplog.records] == [
        f"{n} of 3 tars read" for n in (1, 2, 3)
    ]


@pytest.mark.slow
def test_patterns_with_braces_and_wildcards(tmp_path):
    for number in (8, 9, 10, 11):
        write_tar(tmp_path / f"s-{number:03d}.tar", shard_members(str(number)))
    ids = {"s-{008..010}.tar": ["8", "9", "10"], "s-0{09,11}.tar": ["9", "11"], "s-*.tar": ["8", "9", "10", "11"]}
    for pattern, expected in ids.items():
        assert datasets.load(f"webdataset:{tmp_path}/{pattern}").images["image_id"].tolist() == expected
    with pytest.raises(DataError, match=r"no such tar.*s-012\.tar$"):
        datasets.load(f"webdataset:{tmp_path}/s-{{010..012}}.tar")
    with pytest.raises(DataError, match="no such tar"):
        datasets.load(f"webdataset:{tmp_path}/t-*.tar")
    with pytest.raises(DataError, match="more than 100,000 tars"):
        datasets.load(f"webdataset:{tmp_path}/{{0..99999}}{{0..99999}}.tar")
