"""Commands and Python blocks of README, documentation and help texts, and which of them cannot run in a test."""

import ast
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "deep_sets_model/MODEL_CARD.md",
]
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))

EXCEPTIONS = {
    r"python -m venv |pip install |jupyter ": "installs or starts what a test must not",
    r"make [a-z-]+( PYTHON=python[\d.]+)?$": "a target of the Makefile, whose existence is tested; CI runs most",
    r"gaia-oc-|python -m gaia_oc_amd ": "tests/test_installation.py runs them where they are installed",
    r"make tap-server && PYTHONPATH": "half an hour; tests/stages/test_build_when_killed.py kills runs, too",
    r"\.venv/bin/python -m pytest ": "the tests themselves",
    r"dask |export DASK|while read ": "needs several machines; tests/batch/test_dask.py starts schedulers and workers",
    r"python benchmarks/|(TINY=1 )?benchmarks/\w+/\w+\.sh": "takes minutes to hours; files and options are tested",
    r"python download_members_and_cluster_params\.py": "tests/catalogues/test_download_catalogues.py runs it",
    r"python download_isochrones\.py": "tests/catalogues/test_download_isochrones.py runs it",
    r"python create_gaia_credentials_file\.py": "asks for a password; tests/archive/test_login.py runs it",
    r"python simulate_clusters\.py": "takes long in full size; `make demo` and tests/test_scripts.py run it",
    r"python build_sets\.py (Simulated_1|my_simulated\.txt) ": "the same, needs what simulate_clusters.py makes",
    r"python train_deep_sets_model\.py": "needs many clusters; tests/test_scripts.py trains with a few",
    r"python validate_clusters\.py": "takes long; tests/stages/test_validate.py runs it",
    r"python \S+ .*--scheduler": "needs a Dask scheduler; tests/batch/test_dask.py runs it",
    r"python build_sets\.py survey\.txt --workers": "starts processes; tests/batch/test_run.py runs it",
    r"python evaluate_clusters\.py NGC_2509 --model_dir DS10_v02": "the published weights are not ours to ship",
    r"python (find_first_members|fit_isochrone|fit_leavitt_law|compare_with_list)\.py": "has tests of its own",
    r"python -c ": "measures a time",
    r"python classify_images\.py": "has tests of its own",
    r"python estimate_light_curve_age\.py": "has tests of its own",
    r"python (build_sets|evaluate_clusters)\.py NGC_2447 IC_4651": "needs stars of the sky; NGC_2509 stands for them",
    r"python build_sets\.py NGC_2509_group_1 ": "tests/first_members/test_other_groups.py reads its files",
    r"python explain_stars\.py .*(--from|,-19)": "needs stars of the sky; tests/stages/test_explain.py runs it",
    r"python evaluate_clusters\.py all --workers": "starts processes; tests/batch/test_run.py runs it",
    r"python \S+ .*--(send_to_topcat|find_first_members|fit_isochrone|report)": "has tests of its own",
}
"""Reasons why commands that match are not executed here. Scripts and options are tested all the same."""

PYTHON_EXCEPTIONS = {"from dask_jobqueue import": "needs SLURM"}


def blocks(text, language=""):
    """Fenced blocks of a language; without one also indented blocks, which begin after an empty line."""
    for name, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if name == language or (not language and name in ("sh", "bash", "shell", "console")):
            yield body
    if not language:
        plain = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for body in re.findall(r"(?:^|\n\n)((?:    .+\n)+)", plain):
            yield re.sub("^    ", "", body, flags=re.MULTILINE)


def commands_in(body):
    """Shell commands of a block: one a line, without comments, backslashes joined."""
    lines = re.sub(r"\\\n\s*", "", body).splitlines()
    return [
        line for line in (re.sub(r"\s+#.*", "", line).strip() for line in lines) if line and line[0] != "#"
    ]


def help_examples(script):
    """Commands after ``example:`` in the docstring that --help shows."""
    docstring = ast.get_docstring(ast.parse((ROOT / script).read_text())) or ""
    _, _, examples = docstring.partition("xample:")
    return [line.strip() for line in examples.splitlines() if line.strip().startswith("python ")]


def documented():
    """All commands, each once, by where it stands first."""
    found = {}
    for path in DOCUMENTS:
        for body in blocks(path.read_text(encoding="utf-8")):
            found.update((command, path.name) for command in commands_in(body) if command not in found)
    for script in SCRIPTS:
        found.update((command, script) for command in help_examples(script) if command not in found)
    return found


def exception(command):
    """Reason why a command is not executed, None if it is."""
    return next((reason for pattern, reason in EXCEPTIONS.items() if re.match(pattern, command)), None)


def words(command):
    """Arguments of a command as a shell splits them."""
    return shlex.split(command)
