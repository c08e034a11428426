"""Reliability and precision-recall curves of membership methods, as one picture."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from metrics import precision_recall_curve, reliability_bins

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito's palette, which colour-blind readers can tell apart."""
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_FEWEST = 20
_FAINT = 19.0


def plot_methods(stars, methods, path):
    """Precision and recall of all and of faint stars, and probability against share of members.

    Parameters
    ----------
    stars : DataFrame
        As for `method_figures.all_figures`.
    methods : list of str
        Columns with probabilities.
    path : Path
        The PNG.
    """
    figure, (everything, faint, reliability) = plt.subplots(1, 3, figsize=(12, 4.3), layout="constrained")
    is_faint = stars["phot_g_mean_mag"] >= _FAINT
    for i, method in enumerate(methods):
        style = {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i % len(STYLES)], "lw": 1.6}
        for axes, part in ((everything, stars), (faint, stars[is_faint])):
            precision, recall = precision_recall_curve(part["is_member"], part[method])
            shown = recall > 0
            axes.step(recall[shown], precision[shown], where="pre", **style)
        judged = stars[~stars["lost"]]
        count, mean_p, share = reliability_bins(judged["is_member"], judged[method])
        enough = count >= _FEWEST
        reliability.plot(mean_p[enough], share[enough], marker="o", ms=4, label=method, **style)
    for axes, title in ((everything, "all stars"), (faint, f"G >= {_FAINT:g}")):
        axes.set(xlabel="completeness", ylabel="purity", title=title, xlim=(0, 1), ylim=(0, 1.02))
    reliability.plot([0, 1], [0, 1], color="0.6", lw=1, zorder=0)
    reliability.set(
        xlabel="mean p of the stars in a bin", ylabel="true share of members", title="reliability"
    )
    reliability.set(xlim=(0, 1), ylim=(0, 1.02))
    reliability.legend(fontsize=8, frameon=False)
    for axes in (everything, faint, reliability):
        axes.grid(color="0.9")
    figure.savefig(path, dpi=90)
    plt.close(figure)
