import pytest

from distill.bench.device.delegates import DEFAULTS, parse_delegates
from distill.errors import ConfigError


def test_delegates_become_options_of_benchmark_model() -> None:
    found = parse_delegates(["cpu", "gpu", "nnapi:qti-dsp", "external:/vendor/lib64/libnpu.so", "gpu"])
    assert [(delegate.name, delegate.flags) for delegate in found] == [
        ("cpu", ("--use_xnnpack=false",)),
        ("gpu", ("--use_gpu=true",)),
        ("nnapi:qti-dsp", ("--use_nnapi=true", "--nnapi_accelerator_name=qti-dsp")),
        ("external:/vendor/lib64/libnpu.so", ("--external_delegate_path=/vendor/lib64/libnpu.so",)),
    ]
    assert [delegate.threaded for delegate in found] == [True, False, False, False]
    for names in DEFAULTS.values():
        assert len(parse_delegates(names)) == len(names)


@pytest.mark.parametrize("name", ["gpus", "nnapi:", "gpu:cl", "external", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown delegate"):
        parse_delegates([name])
    with pytest.raises(ConfigError, match="no delegate given"):
        parse_delegates([])
