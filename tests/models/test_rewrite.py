import pytest
from torch import nn

from distill.models import rewrite
from distill.models.rewrite import register_rewrite, rewrite_modules


class Block(nn.Module):
    pass


class Special(Block):
    pass


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "_REWRITES", {})


def test_the_rewrite_of_a_base_class_applies_to_subclasses() -> None:
    register_rewrite(Block)(lambda module: nn.Identity())
    net = rewrite_modules(nn.Sequential(nn.Sequential(Special()), nn.ReLU()))
    assert [type(module) for module in net.modules()][2:] == [nn.Identity, nn.ReLU]


def test_a_subclass_with_a_rewrite_of_its_own_uses_that() -> None:
    register_rewrite(Block)(lambda module: nn.Identity())
    register_rewrite(Special)(lambda module: nn.Flatten())
    assert isinstance(rewrite_modules(Special()), nn.Flatten)


def test_none_leaves_the_module_and_continues_with_its_children() -> None:
    register_rewrite(nn.Sequential)(lambda module: None)
    register_rewrite(Block)(lambda module: nn.Identity())
    net = rewrite_modules(nn.Sequential(Block()))
    assert isinstance(net, nn.Sequential)
    assert isinstance(net[0], nn.Identity)
