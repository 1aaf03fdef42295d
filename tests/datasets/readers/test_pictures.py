import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.datasets.readers import pictures
from bioclip_probe.datasets.readers.pictures import open_picture, stays_inside, walk_files
from bioclip_probe.errors import DataError, PictureError
from tests.support.pictures import paint


def test_empty_missing_folder_and_text_are_refused(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("<html>404 not found</html>")
    for name, reason in [
        ("empty.jpg", "the file is empty"),
        ("text.jpg", "not a picture"),
        ("none.jpg", "no such file"),
        (".", "not a file"),
    ]:
        with pytest.raises(DataError, match=reason):
            open_picture(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["a\0.png", "a\ud800.png", "pipe.png", "folder.png", "x" * 300 + ".png", "a.png/b.png"]
)
def test_paths_without_a_picture_are_refused(tmp_path, name):
    """Any path in a table gives one line and no traceback, and a pipe does not block."""
    paint(tmp_path / "a.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError) as caught:
        open_picture(tmp_path / name)
    assert caught.value.kind in ("missing", "unreadable") and str(caught.value).isprintable()


def test_a_file_larger_than_any_picture_is_not_read(tmp_path):
    with open(paint(tmp_path / "a.png"), "r+b") as file:
        file.truncate(pictures.MAX_BYTES + 1)  # sparse
    with pytest.raises(PictureError, match="536,870,913 bytes are more than the 536,870,912 allowed") as caught:
        open_picture(tmp_path / "a.png")
    assert caught.value.kind == "too large"


def test_walk_is_sorted_and_leaves_hidden_files_and_loops_out(tmp_path):
    for name in ("b/2.png", "b/1.png", "a/c/3.png", ".git/4.png", "a/.hidden.png"):
        paint(tmp_path / name)
    os.symlink(tmp_path, tmp_path / "a" / "up")
    os.symlink(tmp_path / "b", tmp_path / "c")
    assert [path.as_posix() for path in walk_files(tmp_path)] == [
        "a/c/3.png", "b/1.png", "b/2.png", "c/1.png", "c/2.png",
    ]  # fmt: skip


@given(st.lists(st.sampled_from(["..", ".", "a", "b"]), min_size=1, max_size=6))
def test_stays_inside_counts_steps_up_and_down(parts):
    depth, inside = 0, True
    for part in parts:
        depth += {"..": -1, ".": 0}.get(part, 1)
        inside &= depth >= 0
    if stays_inside("/".join(parts)) != inside:
        # a/../../a leaves the folder and may come back by chance: it is refused as well
        assert not inside
        assert depth >= 0
