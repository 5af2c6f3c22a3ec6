"""Load and invoke TFLite files, as a program of its own.

    runtime_worker.py MODULE MODEL INPUTS OUTPUTS MEMORY   one model on given inputs; prints a line and exits 3 if not
    runtime_worker.py --serve MODULE                       answers requests until its input ends
    runtime_worker.py --time MODULE                        loads models and times calls of them, on request

Run by path, not imported: the interpreter that runs it may be an older Python (3.7 or newer) that has a runtime and
numpy but not this package. A server imports the runtime once and forks for every file, so that each file costs
milliseconds and a damaged one can only end its own process.
"""

import importlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from typing import Any

_LONGEST = 300  # characters of a reason


def interpreter_class(module: str) -> Any:
    """Return the Interpreter of a runtime's module."""
    # The folder of this program comes first on the path, where its neighbours could be imported instead of packages.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != here]  # noqa: PTH100
    runtime = importlib.import_module(module)
    # tensorflow offers its interpreter in a submodule that is loaded on first use.
    return runtime.lite.Interpreter if module == "tensorflow" else runtime.Interpreter


def run(module: str, model: str, inputs: str, outputs: str) -> None:
    """Run the model on all rows of INPUTS and save its outputs: points (n, k, 2), or with a confidence (n, k, 3).

    Rows are run in batches of the size that the file has; the last row is repeated to fill the last batch.
    """
    interpreter = interpreter_class(module)(model_path=model, num_threads=1)
    np = importlib.import_module("numpy")
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    first, *others = [detail["index"] for detail in interpreter.get_output_details()]
    rows, batch = np.load(inputs), int(entry["shape"][0])
    runs = []
    for start in range(0, len(rows), batch):
        interpreter.set_tensor(entry["index"], rows[np.minimum(np.arange(start, start + batch), len(rows) - 1)])
        interpreter.invoke()
        points = interpreter.get_tensor(first)
        rest = [interpreter.get_tensor(index)[:, :, None] for index in others]
        runs.append(np.concatenate([points] + rest, 2) if rest else points)
    np.save(outputs, np.concatenate(runs)[: len(rows)])


def serve(module: str) -> None:
    """Answer `{"model", "timeout", "memory"}` with `{"kind", "text", "seconds"}`, a line of JSON each.

    `memory` is the address space that the model may take on top of the runtime itself, in bytes.
    """
    # The runtime and the models may print; only replies go to the pipe that the parent reads.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    importlib.import_module("numpy")
    load = interpreter_class(module)
    replies.write("ready\n")
    replies.flush()
    for line in sys.stdin:
        replies.write(json.dumps(_forked(json.loads(line), load)) + "\n")
        replies.flush()


def _forked(request: dict[str, Any], load: Any) -> dict[str, Any]:
    """Run one model in a process of its own and return the outcome."""
    start = time.time()
    receiver, sender = os.pipe()
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            os.close(receiver)
            _child(request, load, sender, log.fileno())
        os.close(sender)
        received, ended = _read(receiver, start + request["timeout"])
        if not ended:
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        log.seek(0)
        printed = log.read(1 << 16).decode(errors="replace").strip().splitlines()
    if not ended:
        reply = {"kind": "timeout", "text": f"no answer within {request['timeout']:g} s"}
    elif os.WIFSIGNALED(status):
        text = "killed by " + signal.Signals(os.WTERMSIG(status)).name
        last = [line.strip() for line in printed if "XNNPACK delegate" not in line][-1:]
        reply = {"kind": "crash", "text": ": ".join([text] + last)[:_LONGEST]}
    else:
        reply = json.loads(received) if received else {"kind": "error", "text": f"exit status {os.WEXITSTATUS(status)}"}
    return dict(reply, seconds=round(time.time() - start, 4))


def _read(receiver: int, deadline: float) -> tuple[bytes, bool]:
    """Return the content of a pipe, and whether its other end was closed in time."""
    received = b""
    try:
        while True:
            left = deadline - time.time()
            if left <= 0 or not select.select([receiver], [], [], left)[0]:
                return received, False
            block = os.read(receiver, 1 << 16)
            if not block:
                return received, True
            received += block
    finally:
        os.close(receiver)


def _child(request: dict[str, Any], load: Any, sender: int, log: int) -> None:
    """Run in the forked process: never returns."""
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        limit(_taken() + request["memory"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        invoke(load, request["model"])
        reply = {"kind": "runs", "text": ""}
    except BaseException as error:  # noqa: BLE001  any exception of the runtime is a reply
        reply = {"kind": "error", "text": reason(error)}
    try:
        os.write(sender, json.dumps(reply).encode())
    finally:
        # No clean-up: destructors of a runtime may crash after a damaged file.
        os._exit(0)


def invoke(load: Any, model: str) -> None:
    """Run a model once on generated inputs; raises when it fails or returns numbers that are not finite."""
    np = importlib.import_module("numpy")
    interpreter = filled(load, model, 1)
    interpreter.invoke()
    for result in interpreter.get_output_details():
        value = interpreter.get_tensor(result["index"])
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ValueError("it returned numbers that are not finite")


def filled(load: Any, model: str, threads: int) -> Any:
    """Return an interpreter of a model with generated inputs."""
    np = importlib.import_module("numpy")
    interpreter = load(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    rng = np.random.RandomState(0)
    for entry in interpreter.get_input_details():
        interpreter.set_tensor(entry["index"], _sample(np, rng, entry["shape"], np.dtype(entry["dtype"])))
    return interpreter


def time_calls(module: str) -> None:
    """Answer `{"model", "threads"}` with `{"call"}`, `{"call"}` with `{"ms"}`, both with `{"error"}` where it fails."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    load = interpreter_class(module)
    calls = []
    replies.write("ready\n")
    replies.flush()
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict[str, Any] = {}
        try:
            if "model" in request:
                calls.append(filled(load, request["model"], request["threads"]).invoke)
                calls[-1]()
                reply = {"call": len(calls) - 1}
            else:
                start = time.perf_counter()
                calls[request["call"]]()
                reply = {"ms": 1000 * (time.perf_counter() - start)}
        except Exception as error:  # noqa: BLE001  any exception of the runtime is a reply
            reply = {"error": reason(error)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _sample(np: Any, rng: Any, shape: Any, dtype: Any) -> Any:
    """Return an input for any ordinary model: noise in [0, 1), a dark image, or zeros for possible indices."""
    if dtype.kind == "f":
        return rng.random_sample(shape).astype(dtype)
    if dtype.itemsize == 1 and dtype.kind in "iu":
        return rng.randint(0, 100, shape).astype(dtype)
    return np.full(shape, b"") if dtype.kind in "SO" else np.zeros(shape, dtype)


def limit(memory: int) -> None:
    """Bound the address space of this process to `memory` bytes, and leave no core files."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _taken() -> int:
    """Return the address space in use, in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def reason(error: BaseException) -> str:
    """Return an error as one line."""
    # In full: runtimes name the cause first, then the node.
    return (" ".join(str(error).split()) or repr(error))[:_LONGEST]


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
        sys.exit(0)
    if sys.argv[1] == "--time":
        time_calls(sys.argv[2])
        sys.exit(0)
    limit(int(sys.argv[5]))
    try:
        run(*sys.argv[1:5])
    except Exception as error:  # noqa: BLE001  any exception of the runtime is a reply
        print(reason(error), file=sys.stderr)
        sys.exit(3)
