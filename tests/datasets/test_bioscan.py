import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from tests.support.bioscan import write_bioscan_1m, write_bioscan_5m
from tests.support.pictures import paint


def test_the_folder_the_archive_unpacks_into_may_be_named_or_the_one_above(tmp_path):
    write_bioscan_5m(tmp_path / "bioscan5m", table="metadata/csv")
    write_bioscan_1m(tmp_path / "bioscan1m")
    sources = set()
    for spec in ("bioscan-5m:{}", "bioscan-5m:{}/bioscan5m", "bioscan-5m:{}/bioscan5m/images/original_256"):
        sources.add(tuple(datasets.load(spec.format(tmp_path)).images["source"]))
    assert len(sources) == 1
    assert len(datasets.load(f"bioscan-1m:{tmp_path}")) == 2


def test_the_user_must_choose_one_of_several_sets_of_pictures(tmp_path):
    write_bioscan_1m(tmp_path, sets=("cropped_256", "original_256"))
    with pytest.raises(DataError, match=r"has 2 sets of pictures; name one: .*cropped_256, .*original_256$"):
        datasets.load(f"bioscan-1m:{tmp_path}")
    both = [datasets.load(f"bioscan-1m:{tmp_path}/images/{name}") for name in ("cropped_256", "original_256")]
    assert [dataset.name for dataset in both] == ["bioscan-1m-cropped_256", "bioscan-1m-original_256"]
    assert both[0].images.equals(both[1].images)


def test_folders_with_another_layout_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        datasets.load(f"bioscan-1m:{tmp_path / 'none'}")
    with pytest.raises(DataError, match="has no metadata; expected there: BIOSCAN_5M_"):
        datasets.load(f"bioscan-5m:{tmp_path}")
    with pytest.raises(DataError, match="has no pictures"):
        datasets.load(f"bioscan-1m:{write_bioscan_1m(tmp_path, sets=())}")
    table = tmp_path / "BIOSCAN_Insect_Dataset_metadata.tsv"
    table.write_text(table.read_text().replace("chunk_number", "chunk"))
    paint(tmp_path / "images" / "cropped" / "part1" / "a.jpg")
    with pytest.raises(DataError, match="lacks the columns chunk_number; it has: sampleid, processid"):
        datasets.load(f"bioscan-1m:{tmp_path}")
