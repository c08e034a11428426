"""Loss and gradient against automatic differentiation, and under what must not matter."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.gradients import GradientEngine
from gaia_oc_amd.options import TrainingOptions
from gaia_oc_amd.training_sets import TrainingSet


def examples(batch_size=700, support=6, seed=0):
    """Two clusters, weighted classes, and a class ratio that the network need not learn."""
    generator = torch.Generator().manual_seed(seed)
    training = TrainingSet(
        members=torch.randn(70, 4, generator=generator),
        non_members=torch.randn(400, 4, generator=generator) + 0.5,
        clusters=torch.randn(2, 3, generator=generator),
        n_members=np.array([40, 30]),
        n_non_members=np.array([250, 150]),
    )
    options = TrainingOptions(batch_size=batch_size, size_support_set=support, weight_imbalance=3.0)
    batch = training.draw(options, rng=np.random.default_rng(seed))[0]
    return training.members, batch._replace(log_odds=torch.linspace(-1, 1, len(batch.weight)))


def network(dropout=0.0, hidden_size=24):
    made = DeepSets(7, 4, hidden_size, dropout)
    made.initialise(torch.Generator().manual_seed(5))
    for parameter in made.parameters():
        parameter.data *= 1.5
    return made


def by_autograd(network, batch, support, kept):
    """Loss (Eq. 18) and gradient of its weighted mean, with the network's own layers and given dropout."""
    pairs = batch.candidates[:, None].expand(-1, batch.chosen.shape[1], -1)
    mean = network.phi(torch.cat([pairs, support[batch.chosen]], dim=2)).mean(dim=1)
    hidden = functional.elu(network.ro[1](mean * kept[0]))
    logits = network.ro[4](hidden * kept[1])
    logits = torch.stack([logits[:, 0], logits[:, 1] + batch.log_odds], dim=1)
    loss = functional.cross_entropy(logits, batch.is_member, reduction="none") @ batch.weight
    (loss / batch.weight.sum()).backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in network.parameters()])
    return loss.item(), (logits[:, 1] > logits[:, 0]).numpy(), gradient


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradient_is_that_of_automatic_differentiation(dropout):
    support, batch = examples()
    assert len(batch.weight) == 700  # several pieces, the last one smaller
    kept = (np.random.default_rng(7).random((2, 700, 24), np.float32) >= dropout) / np.float32(1 - dropout)
    loss, called, gradient = by_autograd(network(dropout), batch, support, torch.from_numpy(kept).float())
    with GradientEngine(network(dropout)) as engine:
        found, verdicts = engine.loss_and_gradient(batch, support, rng=np.random.default_rng(7))
        assert found == pytest.approx(loss, rel=1e-5)
        np.testing.assert_array_equal(verdicts, called)
        scale = gradient.abs().max().item()
        np.testing.assert_allclose(engine.parameters.grad, gradient, atol=1e-5 * scale)
        without = engine.loss(batch, support)[0]
    assert (without == pytest.approx(found, rel=1e-6)) == (dropout == 0)


def test_optimiser_moves_the_network_itself():
    support, batch = examples()
    learning = network()
    with GradientEngine(learning) as engine:
        optimiser = torch.optim.Adam([engine.parameters], lr=0.01)
        losses = []
        for step in range(40):
            losses.append(engine.loss_and_gradient(batch, support, rng=np.random.default_rng(step))[0])
            optimiser.step()
        before = engine.loss(batch, support)[0]
    assert before < 0.7 * losses[0]
    with torch.no_grad():
        logits = learning.eval().set_logits(batch.candidates, support, batch.chosen)
    logits[:, 1] += batch.log_odds
    after = functional.cross_entropy(logits, batch.is_member, reduction="none") @ batch.weight
    assert after.item() == pytest.approx(before, rel=1e-5)


def test_number_of_threads_changes_no_bit(monkeypatch):
    support, batch = examples(batch_size=900)
    before, gradients = torch.get_num_threads(), []
    for n_threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        with GradientEngine(network(0.5)) as engine:
            engine.loss_and_gradient(batch, support, rng=np.random.default_rng(1))
            assert torch.get_num_threads() == 1
        gradients.append(engine.parameters.grad)
        assert torch.get_num_threads() == before
    assert torch.equal(*gradients)


def test_batches_of_other_sizes_do_not_disturb_one_another():
    (support, large), (_, small) = examples(support=6), examples(batch_size=9, support=3)
    with GradientEngine(network()) as engine:
        alone = engine.loss(small, support)[0]
        engine.loss_and_gradient(large, support, rng=np.random.default_rng(1))
        assert engine.loss(small, support)[0] == alone
