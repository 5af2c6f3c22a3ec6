"""Code blocks of Markdown documents: shell commands, and files whose first line names them."""

import re
from collections.abc import Iterator, Sequence

_LOOP = re.compile(r"for (\w+) in (.+); do")
_VARIABLE = re.compile(r"""(\w+)=([^\s"'$();]+|"[^"$`]*"|'[^']*')""")


def files_of(text: str) -> dict[str, str]:
    """Return the files of a document: blocks whose first line is a comment with a file name."""
    return dict(re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def commands_of(text: str) -> list[str]:
    """Return the lines of a document's shell blocks, with loops and variables written out."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in written_out(block.splitlines())]


def written_out(lines: Sequence[str]) -> list[str]:
    """Return the lines of a shell script with its variables and `for` loops over words written out.

    Raises:
        ValueError: a loop without its `done`.
    """
    return list(_run(iter(lines), {}))


def _run(lines: Iterator[str], values: dict[str, str]) -> Iterator[str]:
    for line in lines:
        if loop := _LOOP.fullmatch(line.strip()):
            body = list(_body(lines))
            for word in loop[2].split():
                yield from _run(iter(body), {**values, loop[1]: word})
        elif variable := _VARIABLE.fullmatch(line.strip()):
            values = {**values, variable[1]: variable[2].strip("'\"")}
        else:
            for name, value in values.items():
                line = re.sub(rf"\$(?:{name}\b|{{{name}}})", value, line)
            yield line.strip() if values else line


def _body(lines: Iterator[str]) -> Iterator[str]:
    depth = 1
    for line in lines:
        depth += bool(_LOOP.fullmatch(line.strip())) - (line.strip() == "done")
        if not depth:
            return
        yield line
    raise ValueError("a `for` loop without `done`")
