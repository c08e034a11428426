"""The network at full speed must say what the network says."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.nn import functional

from gaia_oc_amd.classifier import make_judge
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.fast_deep_sets import (
    activations,
    first_activations,
    set_activations,
    weight_shapes,
)


def network(n_candidate=8, n_support=5, hidden_size=64):
    """Random weights, large enough that both sides of the ELU matter."""
    network = DeepSets(n_candidate, n_support, hidden_size)
    network.initialise(torch.Generator().manual_seed(3))
    for parameter in network.parameters():
        parameter.data *= 2
    return network.eval()


def inputs(n, size, n_members=40, n_candidate=8, n_support=5):
    rng = np.random.default_rng(4)
    candidates = rng.normal(size=(n, n_candidate)).astype(np.float32)
    chosen = np.array([rng.choice(n_members, size, replace=False) for _ in range(n)], np.int64)
    chosen = chosen.reshape(n, size)
    return candidates, torch.from_numpy(rng.normal(size=(n_members, n_support)).astype(np.float32)), chosen


def forward(network, candidates, support, chosen):
    """Difference of the logits by the network's own forward pass, in double precision."""
    pairs = torch.from_numpy(candidates)[:, None].expand(-1, chosen.shape[1], -1)
    x = torch.cat([pairs, support[torch.from_numpy(chosen)]], dim=2).double()
    with torch.no_grad():
        logits = network.double()(x)
    network.float()
    return (logits[:, 1] - logits[:, 0]).numpy()


@pytest.mark.parametrize(("n", "size", "hidden"), [(1500, 10, 64), (3, 1, 64), (40, 7, 13), (0, 10, 64)])
def test_judge_agrees_with_the_network(n, size, hidden):
    net, (candidates, support, chosen) = network(hidden_size=hidden), inputs(n, size)
    expected = forward(net, candidates, support, chosen)
    found = make_judge(net.weights(), support.numpy())(candidates, chosen)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert n < 100 or expected.std() > 0.3


@pytest.mark.parametrize("sizes", [(8, 5, 64), (3, 1, 2)])
def test_names_and_shapes_are_those_of_the_network(sizes):
    weights = DeepSets(*sizes).weights()
    assert {name: value.shape for name, value in weights.items()} == weight_shapes(*sizes)
    assert list(weights) == list(weight_shapes(*sizes))


def test_reduced_precision_is_close_and_another_device_the_same():
    net, (candidates, support, chosen) = network(), inputs(300, 10)
    expected = forward(net, candidates, support, chosen)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "this processor has no bfloat16 arithmetic")
        rough = make_judge(net.weights(), support.numpy(), precision="bfloat16")(candidates, chosen)
    assert 1e-4 < np.abs(rough - expected).max() < 0.2 * expected.std()
    np.testing.assert_allclose(
        make_judge(net.weights(), support.numpy(), device="cpu:0")(candidates, chosen), expected, atol=2e-5
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees():
    net, (candidates, support, chosen) = network(), inputs(3000, 10)
    found = make_judge(net.weights(), support.numpy(), device="cuda")(candidates, chosen)
    np.testing.assert_allclose(found, forward(net, candidates, support, chosen), atol=1e-3)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "", "meta"])
def test_device_that_is_not_there_is_refused(device):
    net, (_, support, _) = network(), inputs(1, 10)
    with pytest.raises(ValueError, match=f"--device {device}: PyTorch finds no such device"):
        make_judge(net.weights(), support.numpy(), device=device)


def test_a_star_is_judged_alike_alone_in_company_and_in_threads():
    net, (candidates, support, chosen) = network(), inputs(1200, 10)
    judge = make_judge(net.weights(), support.numpy())
    together = judge(candidates, chosen)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: judge(candidates, chosen), range(8)))
    assert all(np.array_equal(part, together) for part in parts)
    np.testing.assert_allclose(judge(candidates[7:8], chosen[7:8]), together[7:8], atol=1e-5)


def test_order_of_the_support_set_does_not_matter():
    net, (candidates, support, chosen) = network(), inputs(100, 10)
    judge = make_judge(net.weights(), support.numpy())
    np.testing.assert_allclose(
        judge(candidates, chosen[:, ::-1].copy()), judge(candidates, chosen), atol=1e-5
    )


def test_elu_is_that_of_pytorch():
    x = np.concatenate(
        [np.linspace(-110, 110, 40_001), np.logspace(-30, 2, 2000), -np.logspace(-30, 2, 2000)]
    )
    found = x[None].astype(np.float32)
    expected = functional.elu(torch.from_numpy(found.astype(float))).numpy()
    activations(found)
    np.testing.assert_allclose(found, expected, atol=2e-7, rtol=2e-7)
    assert (np.diff(found[0, :40_001]) >= 0).all()


def test_nan_stays_nan_and_touches_nothing_else():
    x = np.ones((2, 3, 8), np.float32)
    x[0, 1, 5] = np.nan
    mean = np.empty((2, 8), np.float32)
    set_activations(x, np.zeros((2, 8), np.float32), mean)
    assert np.argwhere(np.isnan(x)).tolist() == [[0, 1, 5]]
    assert np.argwhere(np.isnan(mean)).tolist() == [[0, 5]]


def test_first_layer_is_the_sum_of_its_parts():
    rng = np.random.default_rng(5)
    of_candidates, of_support, set_part = (rng.normal(size=(n, 8)).astype(np.float32) for n in (6, 9, 9))
    chosen = rng.integers(0, 9, (6, 4))
    x, mean = np.empty((6, 4, 8), np.float32), np.empty((6, 8), np.float32)
    first_activations(of_candidates, of_support, set_part, chosen, x, mean)
    plain = of_support[chosen] + (of_candidates - set_part[chosen].mean(axis=1))[:, None]
    expected = functional.elu(torch.from_numpy(plain)).numpy()
    np.testing.assert_allclose(x, expected, atol=1e-6)
    np.testing.assert_allclose(mean, expected.mean(axis=1), atol=1e-6)
