import pytest

from bioclip_probe.datasets.readers.shard_texts import parse_texts


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"\xff", b"3", b'{"genus": 3}', b'{"genus": "A\\u0000"}', b'"\\ud800"']
)
def test_malformed_json_gives_no_names(content):
    assert set(parse_texts({"json": content}).values()) == {None}


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"a photo of .", b"kingdom", b"Animalia kingdom Plantae", b"kingdom \x1b[1m"]
)
def test_malformed_tags_give_no_names(text):
    assert set(parse_texts({"taxonTag.txt": text}).values()) == {None}
