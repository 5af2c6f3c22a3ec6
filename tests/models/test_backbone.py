"""timm backbones with pretrained weights: from the cache, or one line where they cannot be reached."""

import time
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from distill.errors import ConfigError
from distill.models import backbone, create_model
from distill.models.backbone import backbone_of, cached_weights

NAME = "mobilenetv3_small_050"


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backbone, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_unreachable_weights_are_an_error_within_two_seconds() -> None:
    started = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        create_model("mobilevit_v2_050", "five", width=16, pretrained=True)
    assert time.monotonic() - started < 2
    message = str(caught.value)
    assert message.startswith("no pretrained weights for mobilevitv2_050 (not in the local cache")
    assert message.endswith("give a local file with --model.weights, or pretrained: auto")
    assert "\n" not in message


def test_auto_prints_one_line_and_records_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    net = create_model("mobilevit_v2_050", "five", width=16, pretrained="auto")
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "no pretrained weights for mobilevitv2_050" in printed
    assert "training from scratch" in printed
    assert net.loaded_weights == {"file": None, "reason": "not in the local cache, and the hub cannot be reached"}
    assert net(torch.rand(1, 3, 64, 64)).landmarks.shape == (1, 5, 2)


def test_weights_in_the_cache_are_loaded_without_a_connection(tmp_path: Path) -> None:
    torch.manual_seed(0)
    published = timm.create_model(NAME)
    url = timm.get_pretrained_cfg(NAME).url
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(published.state_dict(), tmp_path / "hub" / "checkpoints" / Path(url).name)
    assert cached_weights(NAME) is not None
    net = create_model(f"timm:{NAME}", "five", width=16, pretrained=True)
    for name, value in backbone_of(net).state_dict().items():
        assert torch.equal(value, published.state_dict()[name])
    record = net.loaded_weights
    assert record["file"].startswith("timm:timm/mobilenetv3_small_050")  # type: ignore[index]
    assert len(record["sha256"]) == 64  # type: ignore[index]


def test_wrong_values_and_backbones_without_weights_are_errors() -> None:
    with pytest.raises(ConfigError, match="pretrained 'yes': must be true, false or auto"):
        create_model("mobilevit_v2_050", "five", pretrained="yes")
    with pytest.raises(ConfigError, match=r"no pretrained weights for resnet10t \(|timm publishes none"):
        create_model("timm:swinv2_cr_tiny_384", "five", pretrained=True)


def test_the_backbone_of_a_network_without_one_is_all_of_it() -> None:
    net = nn.Linear(1, 1)
    assert backbone_of(net) is net
