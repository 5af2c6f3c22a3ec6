"""Commands without a network and with secrets in the environment: `python -m scripts.fuzz.outside_world`.

Generated faces, a teacher, a student distilled from it, exports, evaluation, latency, reports and a contest package are
made in a network namespace without routes. Attempts to reach another machine are counted by the kernel, which also sees
compiled code, and by patched sockets, which see the host's name. Then every file that was made, also inside zip files
and checkpoints, is searched for the secrets. Writes results/checks/outside_world.json and exits with 1 when there is an
attempt or a hit. Takes some minutes; Linux with user namespaces only.
"""

import argparse
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from distill.provenance import write_result
from distill.submission.build import package_files, write_zip
from distill.submission.contest_rules import load_contest
from tests.support.connect_trap import run_trapped

RESULT = "results/checks/outside_world.json"
ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "checkpoints" / "student_128_fp16.tflite"
RULES = ROOT / "configs" / "contest" / "icme2024_pair.yaml"
SECRETS = {
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIexampleKEYnotreal0000000000",
    "HF_TOKEN": "hf_notARealTokenButOneThatIsSearchedFor0",
    "MY_DATABASE_PASSWORD": "correct-horse-battery-staple",
}
FACES = ["--data.format", "manifest", "--data.root", "faces"]
SHORT = [
    *("--data.sets", "[]", "--data.batch_size", "4", "--data.workers", "0", "--runs", "runs", *FACES[2:]),
    *("--trainer.epochs", "1", "--trainer.validate_every", "1", "--log.wandb", "offline"),
]
COMMANDS = [
    ["data", "synth", "faces", "--count", "12", "--size", "96", "--workers", "0"],
    ["data", "check", "faces"],
    ["teacher", "--config", str(ROOT / "configs/demo/teacher.yaml"), "--name", "teacher", *SHORT],
    [
        *("student", "--config", str(ROOT / "configs/demo/student.yaml"), "--name", "student"),
        *("--teacher", "runs/teacher/best.ckpt", *SHORT),
    ],
    ["export", "runs/student/best.ckpt", "--faces", "2", *FACES],
    ["check", "runs/student/export/student_fp16.tflite"],
    ["evaluate", "runs/student/export/student.onnx", *FACES, "--json", "evaluation.json"],
    ["evaluate", "runs/student/export/student_fp16.tflite", *FACES],
    ["bench", "runs/student/export/student.onnx", "--rounds", "5", "--peers", "[]", "--stages", "false"],
    ["predict", "faces/images/000000.jpg", "--json", "points.json"],
    ["report", "evaluation.json"],
    ["dashboard", "runs"],
    ["sync", "runs", "--dry_run"],
    ["doctor"],
]


def loopback_up() -> None:
    """Switch on the loopback interface of a new namespace, which local services use."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def packets_without_route() -> int:
    """Return how many packets the kernel of this namespace could not send because no route leads anywhere."""
    names, values = (line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines() if line[:3] == "Ip:")
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return int(dict(zip(names, values, strict=True))["OutNoRoutes"]) + int(six["Ip6OutNoRoutes"])


def control() -> int:
    """Return how many packets the kernel counts for one attempt, so that the count is known to work."""
    before = packets_without_route()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.connect_ex(("192.0.2.1", 80))
    return packets_without_route() - before


def run_inside(folder: Path) -> dict[str, Any]:
    """Run all commands in this namespace; return the attempts that were made."""
    loopback_up()
    counted, before = control(), packets_without_route()
    os.environ |= SECRETS
    code = f"from distill.cli.main import main\nfor argv in {COMMANDS!r}: print('status', main(argv), *argv[:1])"
    done, attempts = run_trapped(code, folder, 3600)
    status = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("status ")]
    made = {
        "commands": [name for _, name in status],
        "failed": [name for number, name in status if number not in ("0", "1")],
        "attempts": attempts,
        "packets": packets_without_route() - before,
        "packets_of_one_attempt": counted,
    }
    if done.returncode:
        made["failed"].append(done.stderr[-2000:])
    return made


def hits(folder: Path) -> tuple[int, list[str]]:
    """Search every file, and the members of zip files, for the secrets; return the number of files and the hits."""
    words, found, count = [value.encode() for value in SECRETS.values()], [], 0
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            count += 1
            contents = [path.read_bytes()]
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    contents += [archive.read(name) for name in archive.namelist()]
            found += [str(path.relative_to(folder)) for word in words if any(word in content for content in contents)]
    return count, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path(RESULT))
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(run_inside(options.inside)))
        return 0
    with tempfile.TemporaryDirectory(prefix="distill-outside-") as name:
        folder = Path(name)
        again = ["unshare", "-rn", sys.executable, "-m", "scripts.fuzz.outside_world", "--inside", name]
        done = subprocess.run(again, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        made = json.loads(done.stdout.splitlines()[-1])
        write_zip(folder / "package.zip", package_files(MODEL, RULES, load_contest(RULES), {}))
        made["files_searched"], made["secrets_found_in"] = hits(folder)
    write_result(options.json, {"secrets": sorted(SECRETS), **made})
    wrong = made["attempts"] or made["packets"] or made["failed"] or made["secrets_found_in"]
    print({name: value for name, value in made.items() if name != "commands"})
    return 1 if wrong or not made["packets_of_one_attempt"] else 0


def block(content: dict[str, Any]) -> str:
    """Return the result as a sentence."""
    return (
        f"{len(content['commands'])} commands in a network namespace without routes:\n{len(content['attempts'])} "
        f"connections tried, {content['packets']} packets without a route (one attempt counts "
        f"{content['packets_of_one_attempt']}).\n{len(content['secrets'])} secrets in the environment: found in "
        f"{len(content['secrets_found_in'])} of {content['files_searched']} files."
    )


if __name__ == "__main__":
    sys.exit(main())
