"""Ancestors in a lineage graph, for tests of what the commands record."""

from distill.tracking.graph import Graph


def ancestors(graph: Graph, node: str) -> set[str]:
    """Return everything that a job or artifact was made from."""
    found: set[str] = set()
    open_nodes = [node]
    while open_nodes:
        target = open_nodes.pop()
        sources = {source for source, end in graph.edges if end == target} - found
        found |= sources
        open_nodes += sources
    return found
