"""The networks: layers, augmentation, early stopping, temperature."""

import numpy as np
import pytest
import torch

from gaia_oc_amd.images.networks import (
    KINDS,
    HyperParameters,
    augmented,
    build_network,
    draw_hyper_parameters,
    fit_network,
    fit_temperature,
    log_loss,
    logits_of,
    probabilities_of,
)
from gaia_oc_amd.images.options import AugmentationOptions, TrainingOptions

NOTHING = AugmentationOptions(turns=False, flips=False, max_shift=0, noise=0)
SHAPE = (2, 8, 8)


def bright_sides(n=60, seed=1, n_wrong=0):
    """Images whose left or right half is brighter, the first few with wrong labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    pixels = rng.normal(0, 0.5, (n, *SHAPE))
    for image, label in zip(pixels, labels, strict=True):
        image[:, :, 4 * label : 4 * label + 4] += 1
    labels[:n_wrong] = 1 - labels[:n_wrong]
    return torch.tensor(pixels, dtype=torch.float32), torch.tensor(labels)


def fitted(kind, *, seed=1, parameters=HyperParameters(n_neurons=8, dropout=0.0), **training):  # noqa: B008
    return fit_network(
        lambda: build_network(kind, parameters, shape=SHAPE, n_classes=2),
        bright_sides(),
        bright_sides(seed=2, n_wrong=6),
        parameters=parameters,
        training=TrainingOptions(**training),
        augmentation=NOTHING,
        seed=seed,
    )


def test_layers_have_equal_or_descending_neurons():
    assert HyperParameters(n_layers=3, n_neurons=64).widths() == [64, 64, 64]
    assert HyperParameters(n_layers=3, n_neurons=64, descending=True).widths() == [64, 32, 16]


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_gets_a_gradient(kind):
    network = build_network(kind, HyperParameters(n_layers=2, dropout=0.0), shape=SHAPE, n_classes=3)
    images = torch.randn(16, *SHAPE)
    torch.nn.functional.cross_entropy(network(images), torch.arange(16) % 3).backward()
    assert all(
        parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_learned_is(kind):
    fit = fitted(kind, max_epochs=12, batch_size=16)
    images, labels = bright_sides(seed=3)
    assert (logits_of(fit.network, images).argmax(1) == labels.numpy()).mean() > 0.9
    assert fit.history[-1]["loss"] < fit.history[0]["loss"]


def test_the_best_epoch_is_kept_and_training_stops():
    fit = fitted("fully_connected", max_epochs=60, patience=3, batch_size=8)
    losses = [epoch["validation_loss"] for epoch in fit.history]
    assert fit.loss == min(losses)
    assert len(losses) < 60
    assert len(losses) - np.argmin(losses) - 1 == 3
    images, labels = bright_sides(seed=2, n_wrong=6)
    assert log_loss(logits_of(fit.network, images), labels.numpy()) == pytest.approx(fit.loss)


def test_the_same_seed_gives_the_same_network():
    images, _ = bright_sides(seed=3)
    one, same, other = (
        logits_of(fitted("convolutional", seed=seed, max_epochs=2).network, images) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_augmentation_of_nothing_changes_nothing():
    images, _ = bright_sides()
    assert augmented(images, NOTHING) is images


def test_flips_exchange_pixels():
    images = torch.randn(40, 1, 6, 6)
    found = augmented(images, AugmentationOptions(turns=False, max_shift=0, noise=0))
    for before, after in zip(images, found, strict=True):
        flips = (before, before.flip(1), before.flip(2), before.flip(1, 2))
        assert any(torch.allclose(after, each, atol=1e-5) for each in flips)
    assert not torch.allclose(found, images)


def test_turns_keep_the_middle_and_shifts_move_it():
    images = torch.zeros(30, 1, 9, 9)
    images[:, :, 4, 4] = 1
    turned = augmented(images, AugmentationOptions(flips=False, max_shift=0, noise=0))
    assert (turned.flatten(1).argmax(1) == 40).all()
    shifted = augmented(images, AugmentationOptions(turns=False, flips=False, max_shift=0.3, noise=0))
    assert len(set(shifted.flatten(1).argmax(1).tolist())) > 3


def test_noise_has_at_most_its_width():
    found = augmented(
        torch.zeros(50, 1, 20, 20), AugmentationOptions(turns=False, flips=False, max_shift=0, noise=0.2)
    )
    widths = found.flatten(1).std(1)
    assert widths.max() < 0.25
    assert widths.max() - widths.min() > 0.1


def test_temperature_is_found():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (4000, 3))
    chance = probabilities_of(logits, 2.5)
    labels = (rng.uniform(size=(4000, 1)) > chance.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.15)
    assert log_loss(logits, labels, 2.5) == pytest.approx(-np.log(chance[np.arange(4000), labels]).mean())


def test_drawn_hyper_parameters_differ():
    rng = np.random.default_rng(1)
    drawn = [draw_hyper_parameters(rng) for _ in range(40)]
    assert {each.n_layers for each in drawn} == {1, 2, 3}
    assert {each.descending for each in drawn} == {True, False}
    assert all(10**-2.5 <= each.learning_rate <= 0.1 for each in drawn)
