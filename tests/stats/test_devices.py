import subprocess
import sys

import numpy as np
import pytest

from bioclip_probe.stats.devices import free_bytes, tensor, uses_torch


def test_the_processor_needs_no_torch():
    question = "import sys; from bioclip_probe.stats import devices; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]
    assert not uses_torch("cpu")


@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, lambda array: array[:, ::2]])
def test_a_tensor_holds_the_numbers_of_its_array(layout):
    array = layout(np.arange(12.0).reshape(3, 4))
    array.setflags(write=False)
    assert np.array_equal(tensor(array, "cpu:0").numpy(), array)
    assert np.array_equal(tensor(array, "cpu:0", "float32").numpy(), array.astype(np.float32))
    assert free_bytes("cpu:0") > 0
