"""Export rewrites of the AAM head and of the pyramid neck return the landmarks of the trained modules."""

import pytest
import torch

from distill.export.rewrites.rewrite import export_form
from distill.models import create_model
from distill.models.heads_export import Centred, PlainPyramid
from tests.support.zoo_tester import shaken, with_peaks


@pytest.mark.parametrize("neck", ["pyramid", "nearest"])
def test_the_export_form_of_a_heatmap_network_has_its_landmarks(neck: str) -> None:
    net = with_peaks(shaken(create_model("mobilevit_v2_050", "five", width=16, neck=neck)), 64).eval()
    form = export_form(net)
    modules = [type(module) for module in form.modules()]
    assert Centred in modules
    assert (PlainPyramid in modules) == (neck == "pyramid")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(form(images).landmarks, net(images).landmarks, atol=1e-5, rtol=0)
