"""Properties of the network."""

import numpy as np
import pytest
import torch

from gaia_oc_amd.deep_sets import DeepSets, EquivariantLayer


@pytest.fixture
def network():
    network = DeepSets(8, 5, hidden_size=16)
    network.initialise(torch.Generator().manual_seed(4))
    return network.eval()


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(5)
    candidates, support = torch.randn(20, 8, generator=generator), torch.randn(30, 5, generator=generator)
    chosen = torch.stack([torch.randperm(30, generator=generator)[:10] for _ in range(20)])
    return candidates, support, chosen


def whole_input(candidates, support, chosen):
    return torch.cat([candidates[:, None].expand(-1, chosen.shape[1], -1), support[chosen]], dim=-1)


def test_permuting_the_support_set_changes_nothing(network, inputs):
    x = whole_input(*inputs)
    with torch.no_grad():
        torch.testing.assert_close(network(x), network(x[:, torch.randperm(10)]), rtol=1e-5, atol=1e-6)


def test_changing_the_support_set_changes_the_logits(network, inputs):
    x = whole_input(*inputs)
    with torch.no_grad():
        assert (network(x) - network(x.roll(1, dims=0))).abs().max() > 1e-4


def test_layer_is_equivariant():
    layer, x = EquivariantLayer(4, 6), torch.randn(3, 7, 4, dtype=torch.float64)
    layer, order = layer.double(), torch.randperm(7)
    torch.testing.assert_close(layer(x)[:, order], layer(x[:, order]))


def test_layer_is_its_formula():
    layer, x = EquivariantLayer(4, 6).double(), torch.randn(2, 5, 4, dtype=torch.float64)
    gamma, bias, lambda_ = (
        p.detach().numpy() for p in (layer.Gamma.weight, layer.Gamma.bias, layer.Lambda.weight)
    )
    data = x.numpy()
    expected = data @ gamma.T + bias - (data.mean(axis=1) @ lambda_.T)[:, None]
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-12)
    assert layer.Lambda.bias is None


def test_split_first_layer_gives_the_same_logits(network, inputs):
    with torch.no_grad():
        torch.testing.assert_close(
            network.set_logits(*inputs), network(whole_input(*inputs)), rtol=1e-4, atol=1e-5
        )


def test_every_parameter_gets_a_gradient(network, inputs):
    network.set_logits(*inputs).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_names_of_the_parameters_are_those_of_the_published_tool(network):
    expected = {
        f"phi.{i}.{p}" for i in (0, 2, 4, 6, 8) for p in ("Gamma.weight", "Gamma.bias", "Lambda.weight")
    }
    assert set(network.state_dict()) == expected | {f"ro.{i}.{p}" for i in (1, 4) for p in ("weight", "bias")}


def test_one_candidate_and_one_support_star(network):
    logits = network.set_logits(torch.zeros(1, 8), torch.ones(1, 5), torch.zeros(1, 1, dtype=torch.long))
    assert logits.shape == (1, 2)
