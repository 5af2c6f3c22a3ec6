"""Lineage graph of several runs: jobs and the artifacts between them, joined by SHA-256."""

from collections.abc import Iterable
from dataclasses import dataclass

from distill.tracking.artifact import Artifact
from distill.tracking.lineage import Job


@dataclass(frozen=True)
class Graph:
    """Jobs and artifacts.

    Attributes:
        jobs: by id.
        artifacts: by SHA-256; aliases and metadata of all mentions are merged.
        edges: (from, to), each an id of a job or a SHA-256 of an artifact, in the order of the records.
    """

    jobs: dict[str, Job]
    artifacts: dict[str, Artifact]
    edges: list[tuple[str, str]]


def lineage_graph(jobs: Iterable[Job]) -> Graph:
    """Return the graph of recorded jobs; a job recorded twice counts once."""
    by_id = {job.id: job for job in jobs}
    artifacts: dict[str, Artifact] = {}
    edges: dict[tuple[str, str], None] = {}
    for job in by_id.values():
        for artifact in job.inputs:
            artifacts[artifact.sha256] = _merged(artifacts.get(artifact.sha256), artifact)
            edges[artifact.sha256, job.id] = None
        for artifact in job.outputs:
            artifacts[artifact.sha256] = _merged(artifacts.get(artifact.sha256), artifact)
            edges[job.id, artifact.sha256] = None
    return Graph(by_id, artifacts, list(edges))


def _merged(first: Artifact | None, other: Artifact) -> Artifact:
    if first is None:
        return other
    aliases = tuple(dict.fromkeys((*first.aliases, *other.aliases)))
    metadata = {**other.metadata, **first.metadata}
    named = other if first.path is None and other.path is not None else first
    return Artifact(named.type, named.name, named.sha256, aliases, metadata, named.path)
