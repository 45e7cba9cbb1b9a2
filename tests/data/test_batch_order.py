"""The order of the images: a pure function of (size, batch size, seed, step)."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from cnn_mnist.data.batch_order import BatchOrder


@pytest.mark.parametrize(("size", "batch_size"), [(10, 3), (10, 10), (10, 25), (1, 4), (12, 4)])
def test_every_epoch_contains_every_image_once(size: int, batch_size: int) -> None:
    order = np.concatenate(list(BatchOrder(size, batch_size, seed=3, num_epochs=4)))
    for epoch in order.reshape(4, size):
        assert sorted(epoch) == list(range(size))


def test_every_batch_is_full_even_across_the_end_of_an_epoch() -> None:
    assert {len(batch) for batch in islice(BatchOrder(10, 3), 50)} == {3}


def test_a_step_is_the_same_whether_iterated_or_indexed() -> None:
    walked = list(islice(BatchOrder(10, 3, seed=1), 30))
    jumping = BatchOrder(10, 3, seed=1)
    for step in (29, 0, 17, 3, 29):
        np.testing.assert_array_equal(jumping[step], walked[step])
        np.testing.assert_array_equal(BatchOrder(10, 3, seed=1)[step], walked[step])


def test_changing_a_batch_does_not_change_later_ones() -> None:
    batches = BatchOrder(10, 10)
    before = batches[0].copy()
    batches[0][:] = 99
    np.testing.assert_array_equal(batches[0], before)


def test_the_order_is_pinned_so_that_runs_of_older_versions_resume_exactly() -> None:
    assert BatchOrder(10, 4, seed=0)[0].tolist() == [4, 6, 2, 7]
    assert BatchOrder(60_000, 4, seed=7)[123_456].tolist() == [40440, 14323, 1145, 49916]


def test_epochs_differ() -> None:
    batches = BatchOrder(100, 100)
    assert batches[0].tolist() != batches[1].tolist()


def test_seeds_differ() -> None:
    assert BatchOrder(100, 100, seed=0)[0].tolist() != BatchOrder(100, 100, seed=1)[0].tolist()


@pytest.mark.parametrize(
    ("size", "batch_size", "num_epochs", "steps"),
    [(10, 5, 1, 2), (10, 3, 1, 4), (10, 3, 2, 7), (10, 100, 1, 1), (10, 3, None, None)],
)
def test_the_number_of_steps_covers_every_epoch(
    size: int, batch_size: int, num_epochs: int | None, steps: int | None
) -> None:
    assert BatchOrder(size, batch_size, num_epochs=num_epochs).steps == steps


@pytest.mark.parametrize("step", [-1, 4, 100])
def test_a_step_out_of_range_raises_index_error(step: int) -> None:
    with pytest.raises(IndexError, match=f"step {step} of 4"):
        BatchOrder(10, 3, num_epochs=1)[step]


@pytest.mark.parametrize(
    "changes", [{"size": 0}, {"batch_size": 0}, {"seed": -1}, {"num_epochs": 0}]
)
def test_an_invalid_argument_is_named_with_its_value(changes: dict[str, Any]) -> None:
    ((name, value),) = changes.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        BatchOrder(**{"size": 10, "batch_size": 3} | changes)
