"""Drawing of the lineage graph as SVG: jobs and artifacts in columns, everything right of what it was made from."""

from html import escape

from distill.tracking.graph import Graph

_WIDTH, _HEIGHT = 176, 44
_COLUMN, _ROW = 232, 62
_MARGIN = 12
_LETTERS = 23
_SWEEPS = 4


def lineage_svg(graph: Graph) -> str:
    """Return the drawing as an SVG element; the text of a node is its type, its name and the aliases."""
    columns = _columns(graph)
    positions = {
        node: (_MARGIN + _COLUMN * depth, _MARGIN + _ROW * row)
        for depth, nodes in enumerate(columns)
        for row, node in enumerate(nodes)
    }
    width = 2 * _MARGIN + _COLUMN * (len(columns) - 1) + _WIDTH
    height = 2 * _MARGIN + _ROW * (max(map(len, columns), default=1) - 1) + _HEIGHT
    edges = "".join(_edge(positions[source], positions[target]) for source, target in graph.edges)
    nodes = "".join(_node(graph, node, *position) for node, position in positions.items())
    return (
        f'<svg class="lineage" role="img" aria-label="Lineage: {len(graph.jobs)} jobs, {len(graph.artifacts)} '
        f'artifacts" width="{width}" height="{height}" viewBox="0 0 {width} {height}">{edges}{nodes}</svg>'
    )


def _columns(graph: Graph) -> list[list[str]]:
    """Return the nodes of each column: its number is the length of the longest way to the node."""
    depth = dict.fromkeys((*graph.artifacts, *graph.jobs), 0)
    for _ in depth:  # at most as many rounds as there are nodes, also if a file was replaced by its own product
        deeper = {target: depth[source] + 1 for source, target in graph.edges if depth[source] >= depth[target]}
        if not deeper:
            break
        depth.update(deeper)
    used = sorted(set(depth.values()))
    columns = [[node for node in depth if depth[node] == column] for column in used]
    for _ in range(_SWEEPS):  # near what they are connected with, so that few edges cross
        row = {node: index for nodes in columns for index, node in enumerate(nodes)}
        columns = [sorted(nodes, key=lambda node: _mean_row(graph, node, row)) for nodes in columns]
    return columns


def _mean_row(graph: Graph, node: str, row: dict[str, int]) -> float:
    near = [row[source] for source, target in graph.edges if target == node]
    near += [row[target] for source, target in graph.edges if source == node]
    return sum(near) / len(near) if near else 0.0


def _edge(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH, start[1] + _HEIGHT // 2, end[0], end[1] + _HEIGHT // 2
    middle = (x1 + x2) // 2
    return f'<path class="edge" d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"/>'


def _node(graph: Graph, node: str, x: int, y: int) -> str:
    if node in graph.jobs:
        job = graph.jobs[node]
        kind, name, radius = "job", job.run, 0
        type_line, detail = job.type, f"{job.command}\ncommit {job.commit}\n{job.time}"
    else:
        artifact = graph.artifacts[node]
        kind, name, radius = "artifact", artifact.name, 12
        type_line = " · ".join((artifact.type, *artifact.aliases))
        detail = "\n".join((f"sha256 {node}", *(f"{key}: {value}" for key, value in artifact.metadata.items())))
    return (
        f'<g class="{kind}" transform="translate({x} {y})"><title>{escape(f"{type_line} {name}")}\n{escape(detail)}'
        f'</title><rect width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}"/>'
        f'<text class="type" x="12" y="18">{escape(_cut(type_line))}</text>'
        f'<text x="12" y="35">{escape(_cut(name))}</text></g>'
    )


def _cut(text: str) -> str:
    """Return as much of a text as fits a node."""
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
