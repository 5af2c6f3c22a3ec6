"""Further TFLite runtimes of this machine, timed in the same rounds as the models' own."""

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial

from distill.bench.key import Key
from distill.bench.latency import Call, Measured
from distill.bench.models import TimedModel
from distill.environments import ENVIRONMENTS, find_environment
from distill.errors import CheckpointError, ConfigError, suggest
from distill.tflite.integers import computes_in_integers
from distill.tflite.runtime_timer import RuntimeTimer
from distill.tflite.runtimes import Runtime, list_runtimes

ALL = "all"
# Without a float file to compare with: an integer file this much slower than in its own runtime has no fast kernels.
_SLOW = 2.0
_SAME_MACS = 0.05
_WHY = "integers are slow there"


def present_runtimes() -> list[Runtime]:
    """Return the runtimes of this Python, of the older one, and TensorFlow of the environment `classic`."""
    found = list_runtimes()
    python = find_environment("classic")
    if python is not None:
        found.append(Runtime("tensorflow", ENVIRONMENTS["classic"].packages["tensorflow"], "tensorflow", python))
    return list({str(runtime): runtime for runtime in reversed(found)}.values())[::-1]


def choose_runtimes(names: Sequence[str]) -> list[Runtime]:
    """Return the runtimes with these names, `tflite-runtime` or `tflite-runtime-2.11.0`, or `all` that are present.

    The runtime that runs the models in this process is left out: it is timed anyway.

    Raises:
        ConfigError: one that is not present.
    """
    own = "litert" if importlib.util.find_spec("ai_edge_litert") else "tflite-runtime"
    present = present_runtimes()
    chosen: dict[str, Runtime] = {}
    for name in names:
        fits = [runtime for runtime in present if name in (ALL, runtime.name, f"{runtime.name}-{runtime.version}")]
        if not fits:
            known = [f"{runtime.name}-{runtime.version}" for runtime in present]
            raise ConfigError(f"no runtime '{name}' on this machine: {suggest(name, [ALL, *known])}")
        chosen |= {str(runtime): runtime for runtime in fits}
    first = next((str(runtime) for runtime in present if runtime.name == own), None)
    return [runtime for name, runtime in chosen.items() if name != first]


def runtime_calls(
    runtimes: Sequence[Runtime], models: Sequence[TimedModel], threads: Sequence[int], stack: ExitStack
) -> tuple[dict[Key, Call], dict[str, str]]:
    """Return calls of every TFLite model in every runtime, and why some cannot run.

    Args:
        runtimes: of `choose_runtimes`.
        models: those that are no TFLite files are left out.
        threads: numbers of them.
        stack: ends the processes.
    """
    calls: dict[Key, Call] = {}
    skipped: dict[str, str] = {}
    for runtime in runtimes:
        for model in (model for model in models if model.tflite):
            try:
                # One process for each file: one that crashes the runtime must not end the others.
                timer = stack.enter_context(RuntimeTimer(runtime))
                for count in threads:
                    call = partial(_measured, timer.milliseconds, timer.load(model.path, count))
                    calls[Key(model.name, "model", count, str(runtime))] = call
            except CheckpointError as error:
                skipped[f"{model.name} in {runtime}"] = str(error)
    return calls, skipped


def _measured(milliseconds: Callable[[int], float], number: int) -> Measured:
    return Measured(milliseconds(number))


def slow_integer_lines(models: Iterable[TimedModel], medians: dict[Key, float]) -> list[str]:
    """Return a line for every integer file that a runtime runs slower than the float file of the same network.

    Networks are the same if their MACs are. A file without a float one is compared with its time in its own runtime.
    """
    known = {model.name: model for model in models}
    lines = []
    for key, ms in medians.items():
        model = known.get(key.name)
        if key.part != "model" or model is None or not model.tflite or not computes_in_integers(model.tflite):
            continue
        floats = [
            (other, medians[other_key])
            for other_key in (key._replace(name=name) for name in known)
            if other_key in medians and _is_float_form(other := known[other_key.name], model)
        ]
        where = f"in {key.engine or model.engine} on {key.threads} thread{'s' * (key.threads > 1)}"
        own = medians.get(key._replace(engine=None))
        if floats:
            other, base = min(floats, key=lambda pair: pair[1])
            if ms > base:
                lines.append(f"{key.name} takes {ms / base:.1f} x the time of {other.name} {where}: {_WHY}")
        elif key.engine and own is not None and ms > _SLOW * own:
            lines.append(f"{key.name} takes {ms / own:.1f} x its time in {model.engine} {where}: {_WHY}")
    return lines


def _is_float_form(other: TimedModel, model: TimedModel) -> bool:
    macs = model.complexity.macs
    same = abs(other.complexity.macs - macs) <= _SAME_MACS * macs
    return same and other.tflite is not None and not computes_in_integers(other.tflite)
