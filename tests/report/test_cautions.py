"""What a report warns of: each warning appears beyond its bound and not before it."""

from dataclasses import replace

import numpy as np
import pytest
from plot_sets import not_evaluated, shortened, without_comparison
from report_sets import report_sets

from gaia_oc_amd.report import cautions as bounds
from gaia_oc_amd.report.cautions import cautions


@pytest.fixture(scope="module")
def good():
    """Sets that give no reason for a warning."""
    sets = report_sets()
    candidates = sets.candidates.assign(PMemb=np.where(sets.candidates["PMemb"] > 0.6, 0.95, 0.02), f_r=30.0)
    cluster = replace(sets.cluster, parallax_mean_error=0.004, dist=1000 / sets.cluster.parallax)
    judged = sets.judged_members.assign(PMemb=0.95)
    return replace(sets, cluster=cluster, candidates=candidates, judged_members=judged)


def titles(sets, **options):
    return {caution.title for caution in cautions(sets, **options)}


def with_cluster(sets, **values):
    return replace(sets, cluster=replace(sets.cluster, **values))


def with_members(sets, **columns):
    return replace(sets, members=sets.members.assign(**columns))


def with_candidates(sets, **columns):
    return replace(sets, candidates=sets.candidates.assign(**columns))


def width(sets, value):
    """Sets whose colour limit without its margin is a value."""
    return replace(sets, limits=replace(sets.limits, colour=value + 0.1))


def ruwe(sets, share):
    number = len(sets.members)
    return with_members(sets, ruwe=np.where(np.arange(number) < round(share * number), 1.5, 1.0))


def few(sets, n):
    return replace(sets, members=sets.members[:n], judged_members=sets.judged_members[:n])


def contaminated(sets, share):
    sets = replace(sets, judged_members=sets.judged_members.assign(PMemb=1 - share))
    return with_candidates(sets, PMemb=np.where(sets.candidates["PMemb"] > 0.5, 1 - share, 0.0))


def doubtful(sets, share):
    """Sets a share of whose training members the others do not vouch for."""
    number = len(sets.members)
    p = np.where(np.arange(number) < round(share * number), 0.4, 0.95)
    return replace(sets, judged_members=sets.judged_members.assign(PMemb=p))


def unsure(sets, share):
    """Half the sum of the sure ones' p goes to unsure stars, and so on; training members count for neither."""
    sets = replace(sets, judged_members=sets.judged_members[:0])
    sure = sets.candidates["PMemb"] > 0.5
    p = share / (1 - share) * 0.95 * sure.sum() / (~sure).sum()
    assert p < 0.5
    return with_candidates(sets, PMemb=np.where(sure, 0.95, p))


def crowded(sets, number):
    """Sets with so many improbable candidates for each training member inside."""
    inside = int((sets.members["f_r"] <= sets.members["f_r"].median()).sum())
    improbable = np.flatnonzero(sets.candidates["PMemb"] < 0.1)[: round(number * inside)]
    f_r = np.full(len(sets.candidates), 30.0)
    f_r[improbable] = 0.01
    return with_candidates(sets, f_r=f_r)


CASES = {
    "Few training members": (
        lambda s: few(s, 29),
        lambda s: few(s, 30),
    ),
    "Doubtful astrometry": (lambda s: ruwe(s, 0.12), lambda s: ruwe(s, 0.09)),
    "Poor isochrone fit": (lambda s: width(s, 0.125), lambda s: width(s, 0.115)),
    "Distance and parallax disagree": (
        lambda s: with_cluster(s, dist=1.15 * s.cluster.dist),
        lambda s: with_cluster(s, dist=1.05 * s.cluster.dist),
    ),
    "Large extinction": (lambda s: with_cluster(s, a0=3.1), lambda s: with_cluster(s, a0=2.9)),
    "Not evaluated": (not_evaluated, lambda s: s),
    "No candidates": (lambda s: replace(s, candidates=s.candidates[:0]), lambda s: s),
    "Not judged": (
        lambda s: with_candidates(s, PMemb=s.candidates["PMemb"].where(s.candidates.index != 3)),
        lambda s: s,
    ),
    "Doubtful training members": (lambda s: doubtful(s, 0.12), lambda s: doubtful(s, 0.09)),
    "Contaminated list": (lambda s: contaminated(s, 0.17), lambda s: contaminated(s, 0.13)),
    "Many unsure members": (lambda s: unsure(s, 0.32), lambda s: unsure(s, 0.2)),
    "Dense field": (lambda s: crowded(s, 1.1), lambda s: crowded(s, 0.9)),
    "No comparison list": (without_comparison, lambda s: s),
}  # fmt: skip


@pytest.mark.parametrize("title", CASES)
def test_a_warning_appears_beyond_its_bound_alone(good, title):
    beyond, within = CASES[title]
    assert titles(beyond(good)) == {title}
    assert titles(within(good)) == set()


def test_shifted_members_are_a_poor_fit_on_either_side(good):
    for sign, word in ((1, "redder"), (-1, "bluer")):
        found = cautions(with_members(good, f_c=sign * 0.04))
        assert [caution.title for caution in found] == ["Poor isochrone fit"]
        assert f"0.040 mag or more {word}" in found[0].text
        assert titles(with_members(good, f_c=sign * 0.02)) == set()


def test_what_may_spoil_the_list_comes_first(good):
    found = cautions(
        with_cluster(without_comparison(good), a0=4.0, dist=2 * good.cluster.dist), validated=False
    )
    levels = [caution.level for caution in found]
    assert levels == sorted(levels, key=lambda level: level != "attention")
    assert set(levels) == {"attention", "note"}
    assert "Not validated" in {caution.title for caution in found}


def test_empty_sets_warn_without_an_error(good):
    assert {"Few training members", "No candidates"} <= titles(shortened(good, 0))


def test_every_bound_is_said(good):
    """Who reads a warning can tell how far beyond the bound the cluster is."""
    for title, bound in (
        ("Few training members", bounds.FEW_MEMBERS),
        ("Poor isochrone fit", bounds.WIDE_ISOCHRONE),
    ):
        (caution,) = cautions(CASES[title][0](good))
        assert str(bound) in caution.text
