"""The network of Deep Embedded Clustering."""

import numpy as np
import pytest
import torch

from gaia_oc_amd.first_members import embedding as dec


@pytest.fixture
def stars():
    return torch.randn((400, 3), generator=torch.Generator().manual_seed(1))


def network(seed=2):
    return dec.Autoencoder.with_sizes([3, 50, 50, 20, 2], torch.Generator().manual_seed(seed))


def sharpened(stars, n_steps=60, min_changed=0.0):
    trained = network()
    first = trained.embed(stars.numpy())[:5]
    how = {"n_between": 20, "batch_size": 64, "lr": 1e-3, "generator": torch.Generator().manual_seed(3)}
    centres, n_done = dec.sharpen(trained, stars, first, n_steps=n_steps, min_changed=min_changed, **how)
    return trained, first, centres, n_done


def test_the_decoder_mirrors_the_encoder():
    layers = network()
    shapes = [
        [tuple(p.shape) for p in half.parameters() if p.ndim == 2]
        for half in (layers.encoder, layers.decoder)
    ]
    assert shapes[1] == [shape[::-1] for shape in shapes[0][::-1]]


def test_reconstruction_is_learnt(stars):
    errors = dec.reconstruct(
        network(), stars, n_epochs=10, batch_size=64, lr=3e-3, generator=torch.Generator().manual_seed(1)
    )
    assert len(errors) == 10
    assert errors[-1] < 0.5 * errors[0]


def test_soft_assignments_sum_to_one_and_prefer_the_nearest_centre(stars):
    assignment = dec.soft_assignment(stars, stars[:5])
    torch.testing.assert_close(assignment.sum(dim=1), torch.ones(400))
    assert (assignment.argmax(dim=1) == torch.cdist(stars, stars[:5]).argmin(dim=1)).all()


def test_the_soft_assignment_is_students(stars):
    squares = ((stars.numpy()[:, None] - stars.numpy()[None, :5]) ** 2).sum(axis=-1)
    kernel = 1 / (1 + squares)
    expected = kernel / kernel.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(dec.soft_assignment(stars, stars[:5]).numpy(), expected, rtol=1e-4)


def test_the_target_sums_to_one_and_is_sharper(stars):
    assignment = dec.soft_assignment(stars, stars[:5])
    target = dec.target_distribution(assignment)
    torch.testing.assert_close(target.sum(dim=1), torch.ones(400))
    entropy = [-(p * p.log()).sum(dim=1).mean() for p in (assignment, target)]
    assert entropy[1] < entropy[0]


def test_the_target_favours_small_groups():
    assignment = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.9, 0.1]])
    assert dec.target_distribution(assignment)[0, 1] > 0.5


def test_a_share_of_changes():
    groups = torch.tensor([0, 1, 1, 2])
    assert dec.changed_share(None, groups) == 1
    assert dec.changed_share(groups, groups) == 0
    assert dec.changed_share(groups, torch.tensor([0, 1, 2, 2])) == 0.25


def test_dividing_stops_when_few_stars_change_and_otherwise_at_its_bound(stars):
    assert sharpened(stars, min_changed=1.0)[3] == 20  # the first comparison is after 20 steps
    assert sharpened(stars, min_changed=0.0)[3] == 60


def test_dividing_moves_encoder_and_centres_and_makes_the_assignment_sharper(stars):
    trained, first, centres, _ = sharpened(stars)
    before, after = network().embed(stars.numpy()), trained.embed(stars.numpy())
    assert not np.allclose(first, centres, atol=1e-3)
    assert not np.allclose(before, after, atol=1e-3)
    surest = [
        dec.soft_assignment(torch.from_numpy(latent), torch.from_numpy(middles)).max(dim=1).values.mean()
        for latent, middles in ((before, first), (after, centres))
    ]
    assert surest[1] > surest[0]
