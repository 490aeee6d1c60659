"""The cost of a step over many processes, on paper: its limits, and the same steps played one by one."""

import math

import jax
import numpy as np
import pytest

from benchmarks import _scale_costs as costs
from benchmarks import _scale_inexact as inexact
from benchmarks import _scale_simulated as simulated
from benchmarks._scale_costs import Network, Workload
from benchmarks._scale_fitted import RESULTS, SUMMED, fitted, measured
from benchmarks._scale_workloads import WORKLOADS

NETWORK = Network("n", 50e-6, 1.25e9)
WORK = Workload("w", 0.001, 1e-4, 4, 1e6)
WAYS = ((costs.ring, simulated.ring), (costs.tree, simulated.tree))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("way", [costs.ring, costs.tree, costs.better])
def test_a_process_alone_communicates_nothing(way):
    assert way(NETWORK, 1, WORK.size, 4) == 0
    assert costs.step(WORK, 1, 10, NETWORK, 0.05, way=way) == WORK.alone(10)


def test_a_ring_of_many_sends_its_bytes_twice_and_a_tree_waits_for_logarithms():
    free, endless = Network("free", 0.0, 1e9), Network("endless", 1e-6, math.inf)
    assert costs.ring(free, 10_000, 1e9) == pytest.approx(2 * (1 - 1 / 10_000))
    assert costs.tree(endless, 1_024, 1e9) == pytest.approx(20e-6)
    assert costs.ring(endless, 1_024, 1e9, arrays=3) == pytest.approx(3 * 2 * 1_023 * 1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 100, 128])
@pytest.mark.parametrize(("told", "played"), WAYS)
def test_without_noise_what_is_played_takes_what_is_told(told, played, count):
    took = played(np.zeros(count), NETWORK, WORK.size).max()
    if told is costs.tree and count.bit_count() > 1:
        # A tree that is not full may end earlier, by less than a round up and one down.
        assert 0 <= told(NETWORK, count, WORK.size) - took < 2 * NETWORK.message(WORK.size)
    else:
        assert took == pytest.approx(told(NETWORK, count, WORK.size))


def test_a_ring_waits_for_the_last_and_a_tree_for_no_more(rng):
    ready = rng.exponential(0.01, 64)
    ring, tree = (played(ready, NETWORK, WORK.size).max() - ready.max() for _, played in WAYS)
    assert ring == pytest.approx(costs.ring(NETWORK, 64, WORK.size))
    # Who comes late may be near the root.
    assert costs.tree(NETWORK, 64, WORK.size) / 2 <= tree <= costs.tree(NETWORK, 64, WORK.size)


def test_exponential_latencies_take_a_ring_twice_as_long(rng):
    """It is last-passage percolation: along a diagonal, r rounds take 2r mean latencies (Rost, 1981)."""
    endless = Network("endless", 1.0, math.inf)
    count = 1_000
    longer = simulated.ring(np.zeros(count), endless, 0, rng).max() / costs.ring(endless, count, 0)
    assert 1.8 < longer < 2.1


def test_the_slowest_of_two_and_of_exponential_ones():
    assert costs.slowest(1, 0.3) == costs.slowest(1, 0.3, "exponential") == 1
    assert costs.slowest(2, 0.3) == pytest.approx(1 + 0.3 / math.sqrt(math.pi), rel=0.01)
    # The larger of two exponential times is 3/2 of their mean.
    assert costs.slowest(2, 1.0, "exponential") == pytest.approx(1.5)


@pytest.mark.parametrize("tail", ["normal", "exponential"])
def test_the_slowest_as_drawn(rng, tail):
    assert simulated.slowest(rng, 200, 0.1, tail, 2_000) == pytest.approx(costs.slowest(200, 0.1, tail), rel=0.005)


def test_to_average_seldom_takes_the_share():
    alone = WORK.alone(10)
    each, seldom = (costs.local_step(WORK, 64, 10, NETWORK, 0.05, every) - alone for every in (1, 10_000))
    assert each == pytest.approx(costs.step(WORK, 64, 10, NETWORK, 0.05) - alone)
    assert seldom < each / 50


def test_bytes_of_what_is_compressed():
    shapes = [(100, 50), (50,), ()]
    assert costs.eight_bits(shapes) == 5_051 + 4 * 3
    assert costs.low_rank(shapes, 2) == 4 * (2 * 150 + 50 + 1)
    # A rank that would take more numbers takes those that there are.
    assert costs.low_rank([(4, 4)], 3) == 4 * 16


@pytest.mark.parametrize("between", [1e4, 1e6])
def test_the_interval_by_daly_is_the_best(between):
    best = costs.daly(10, between)
    lost = lambda interval: costs.lost(interval, 10, 120, between)
    grid = best * np.geomspace(0.1, 10, 4_001)
    assert best == pytest.approx(grid[np.argmin([lost(each) for each in grid])], rel=0.005)
    assert best < costs.young(10, between)
    assert costs.daly(3 * between, between) == between


def test_it_loses_less_than_half_of_it_and_twice_of_it_where_failures_are_played(rng):
    between = 8_640.0
    best = costs.daly(10, between)
    lost, half, twice = (simulated.lost(rng, factor * best, 10, 120, between) for factor in (1, 0.5, 2))
    assert lost < min(half, twice)
    assert lost == pytest.approx(costs.lost(best, 10, 120, between), rel=0.03)


def test_the_last_that_pays():
    assert costs.powers(10) == [2, 4, 8, 10]
    assert costs.most_processes(lambda count: count < 5, 10) == 4
    assert costs.most_processes(lambda count: True, 10_000) == 10_000


def test_a_network_is_found_that_made_the_numbers():
    """Of a table that a model has made, the fit finds it."""
    cases = list(measured(RESULTS.read_text()))
    model = fitted(cases)
    made = [type(one)(one.case, model.step(one.case), *(model.workloads[one.case.workload].alone(one.case.batch / part)
                                                      for part in (1, 2)), one.former) for one in cases]
    again = fitted(made)
    assert again.network.latency == pytest.approx(model.network.latency)
    assert again.network.bandwidth == pytest.approx(model.network.bandwidth)
    assert all(again.step(one.case) == pytest.approx(one.two) for one in made)


def test_two_of_the_rows_are_what_the_results_say():
    first = next(measured(RESULTS.read_text()))
    row = next(line for line in RESULTS.read_text().splitlines() if line.startswith(
        f"| {first.case.title} | the two with a core each |"))
    assert f"{1e3 * first.two:.4g}" in row


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_is_added_up_has_the_shapes_of_parameters_and_a_loss(name):
    shapes = [leaf.shape for leaf in jax.tree.leaves(WORKLOADS[name]()[0]) if hasattr(leaf, "shape")]
    # A GPT's first array is its embedding, which is used at both ends.
    assert sorted(SUMMED[name]) == sorted([*shapes, (), *(shapes[:1] if name == "gpt" else [])])


class TestInexact:
    def test_the_least_is_the_least(self, rng):
        problem = inexact.drawn(0)
        weight = problem.scales[..., None] ** 2
        best = (weight * problem.truths).sum(0) / weight.sum(0)
        assert problem.loss(best) == problem.least
        assert all(problem.loss(best + 0.01 * rng.normal(size=best.shape)) > problem.least for _ in range(3))

    def test_eight_bits_are_right_in_the_mean(self, rng):
        each = rng.normal(size=(inexact.WORKERS, 3, 2))
        exchange = inexact.eight_bits(0)
        found = np.mean([exchange(each) for _ in range(2_000)], axis=0)
        np.testing.assert_allclose(found, each.mean(0), atol=3e-4)

    def test_what_a_low_rank_leaves_out_comes_later(self, rng):
        """The mean of what is told is that of what there was, with the errors fed back."""
        each = rng.normal(size=(inexact.WORKERS, inexact.INPUTS, inexact.OUTPUTS))
        exchange = inexact.low_rank(2, 0)
        told = [exchange(each) for _ in range(400)]
        assert all(np.linalg.matrix_rank(one) == 2 for one in told[:3])
        assert np.abs(np.mean(told, axis=0) - each.mean(0)).max() < 0.05 * np.abs(each.mean(0)).max()

    def test_to_average_seldom_ends_elsewhere(self):
        """Steps of each to its own minimum, and their mean, which is not weighted by curvatures: a known bias."""
        problem = inexact.drawn(0)
        assert inexact.excess(problem, every=500) > 2 * inexact.excess(problem, every=1)
