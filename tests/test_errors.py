import pytest

from bioclip_probe import errors


def test_some_names_up_to_five_and_counts_the_rest():
    assert errors.some([]) == ""
    assert errors.some("ab") == "a, b"
    assert errors.some(range(5)) == "0, 1, 2, 3, 4"
    assert errors.some(range(9)) == "0, 1, 2, 3, 4 and 4 more"
    assert errors.some(iter("abc"), limit=2) == "a, b and 1 more"


@pytest.mark.parametrize("kind", ["DataError", "ModelError", "TreeError", "StoreError"])
def test_every_error_is_a_probe_error(kind):
    assert issubclass(getattr(errors, kind), errors.ProbeError)
