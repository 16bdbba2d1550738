"""What benches compute: a wrong quantile would make every table wrong."""

import math

import pytest

from bench.figures import quantile, slope


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    assert quantile([float(value) for value in range(100, 0, -1)], share) == expected


def test_of_few_values_the_p99_is_the_largest() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.99) == 3.0


def test_without_values_there_is_no_quantile() -> None:
    assert math.isnan(quantile([], 0.5))


def test_the_slope_is_that_of_the_line_under_the_noise() -> None:
    noise = (0.5, -0.5, -0.5, 0.5)
    points = [(float(x), 100 + 3.0 * x + noise[x % 4]) for x in range(400)]

    assert slope(points) == pytest.approx(3.0, abs=0.001)
    assert slope([(1.0, 7.0), (2.0, 7.0)]) == 0.0
