"""Tasks are read as they are worked on, and their results come in order."""

from collections.abc import Iterator

from distill.data.shards.processes import map_in_processes


def test_tasks_are_read_a_few_ahead() -> None:
    read = []

    def tasks() -> Iterator[int]:
        for task in range(12):
            read.append(task)
            yield task

    results = map_in_processes(abs, tasks(), 2)
    assert next(results) == 0
    assert len(read) <= 4
    assert list(results) == list(range(1, 12))
