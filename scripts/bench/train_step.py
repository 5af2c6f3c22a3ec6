"""Time of a training step on a CPU by precision: `python -m scripts.bench.train_step`.

A step is forward pass, supervised loss, backward pass, clipping and the optimiser, of random crops and one thread.
Forms of a network take turns in one process; what counts is processor time, so that other programs on the machine do
not, and the least of the rounds. `bf16 by torch` is autocast alone, `bf16` what a training does: strided depthwise
convolutions in float32 (`distill.training.precision`). Writes results/bench/train_step.json and its table.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from distill.landmarks import load_scheme
from distill.losses.supervised import make_loss
from distill.models import create_model
from distill.models.zoo import zoo_entry
from distill.options.parser import options_of, parse
from distill.training.base_task import parameter_groups
from distill.training.build import with_input_size
from distill.training.config import OptimConfig, RunConfig, StudentConfig
from distill.training.optimizers import make_optimizer
from distill.training.precision import keep_strided_depthwise_in_float32
from scripts.studies.common.study import store

OUT = "results/bench/train_step.json"
CONFIGS = Path(__file__).parents[2] / "configs"
# Recipe -> faces of a step.
RECIPES = {"student": 32, "student_68_128": 32, "teacher": 16, "zoo/efld": 64, "zoo/pfld": 32, "zoo/pipnet": 16}
FORMS = ("float32", "bf16 by torch", "bf16")


def make_step(recipe: str, faces: int, form: str) -> Callable[[], None]:
    """Return a function that does one training step of a recipe's network."""
    kind: Any = RunConfig if recipe == "teacher" else StudentConfig
    words = ["--config", str(CONFIGS / f"{recipe}.yaml"), *(["--kd.kind", "none"] if kind is StudentConfig else [])]
    config: RunConfig = with_input_size(kind(**parse(options_of("bench", "", kind), words)))
    torch.manual_seed(0)
    net = create_model(config.model.arch, config.data.scheme, **config.model.options)
    net = net.to(memory_format=torch.channels_last).train()
    if form == "bf16":
        keep_strided_depthwise_in_float32(net)
    scheme, size = load_scheme(config.data.scheme), config.data.crop.size
    assert size is not None  # see with_input_size
    loss = make_loss(zoo_entry(config.model.arch).loss, scheme)
    optimizer = make_optimizer(parameter_groups(net, OptimConfig()), OptimConfig())
    images = torch.rand(faces, 3, size, size).to(memory_format=torch.channels_last)
    landmarks, known = torch.rand(faces, scheme.n_points, 2), torch.ones(faces, scheme.n_points, dtype=torch.bool)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=form != "float32"):
            value = loss(net(images), landmarks, known)["loss"]
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(recipe: str, faces: int, rounds: int) -> dict[str, float]:
    """Return the least processor time of a step of each form, in milliseconds."""
    steps = {form: make_step(recipe, faces, form) for form in FORMS}
    times: dict[str, list[float]] = {form: [] for form in FORMS}
    for number in range(rounds + 1):
        for form, step in steps.items():
            start = time.process_time()
            step()
            if number:  # the first makes what later ones reuse
                times[form].append(1000 * (time.process_time() - start))
    return {form: round(min(values), 1) for form, values in times.items()}


def table(result: Mapping[str, Any]) -> str:
    """Return the Markdown table of a result."""
    lines = ["| recipe | faces a step | float32, ms | bf16 by torch, ms | bf16, ms |", "|---|---:|---:|---:|---:|"]
    for recipe, row in result["steps"].items():
        lines.append(f"| `{recipe}` | {row['faces']} | " + " | ".join(f"{row[form]:.0f}" for form in FORMS) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path(OUT))
    options = parser.parse_args()
    torch.set_num_threads(1)
    steps = {}
    for recipe, faces in RECIPES.items():
        steps[recipe] = {"faces": faces, **measure(recipe, faces, options.rounds)}
        print(recipe, steps[recipe], flush=True)
    result = {"protocol": "least processor time of a step, one thread, forms take turns", "steps": steps}
    store(result, options.json, OUT, table)


if __name__ == "__main__":
    main()
