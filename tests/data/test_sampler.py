"""Batches are a pure function of (seed, step)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.sampler import StepSampler
from distill.errors import ConfigError


@given(
    n=st.integers(1, 60),
    batch=st.integers(1, 10),
    world=st.integers(1, 4),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_processes_together_see_each_face_once_an_epoch(n: int, batch: int, world: int, epochs: int, seed: int) -> None:
    if n < batch * world:
        with pytest.raises(ConfigError, match=r"fewer than a batch of .*lower --data\.batch_size"):
            StepSampler(n, batch, epochs, seed, world=world)
        return
    streams = [list(StepSampler(n, batch, epochs, seed, rank=rank, world=world)) for rank in range(world)]
    per_epoch = n // (batch * world)
    assert {len(stream) for stream in streams} == {epochs * per_epoch}
    for epoch in range(epochs):
        keys = [k for stream in streams for keys in stream[epoch * per_epoch : (epoch + 1) * per_epoch] for k in keys]
        assert {key[0] for key in keys} == {epoch}
        assert len(set(keys)) == len(keys) == per_epoch * batch * world
        assert all(0 <= index < n for _, index in keys)


@given(start=st.integers(0, 30), seed=st.integers(0, 99), rank=st.integers(0, 1))
def test_a_later_start_is_the_tail_of_the_same_stream(start: int, seed: int, rank: int) -> None:
    whole = StepSampler(23, 3, 7, seed, rank=rank, world=2)
    resumed = StepSampler(23, 3, 7, seed, start=start, rank=rank, world=2)
    assert list(resumed) == list(whole)[start:]
    assert len(resumed) == len(whole) == 21, "Lightning counts from the beginning"


def test_epochs_and_seeds_differ_and_repeat() -> None:
    sampled = list(StepSampler(20, 5, 2, seed=0))
    first, second = ([index for keys in part for _, index in keys] for part in (sampled[:4], sampled[4:]))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert sampled == list(StepSampler(20, 5, 2, seed=0))
    assert sampled != list(StepSampler(20, 5, 2, seed=1))


def test_the_first_epoch_does_not_depend_on_how_many_follow() -> None:
    assert list(StepSampler(20, 5, 9, 3))[:8] == list(StepSampler(20, 5, 2, 3))


def test_too_few_faces_name_processes_too() -> None:
    with pytest.raises(ConfigError, match=r"7 training faces are fewer than a batch of 4 x 2 process\(es\)"):
        StepSampler(7, 4, 1, 0, world=2)
