"""What users pass to public functions and options, held against the type hints: it fits, or one line says why not.

pydantic takes True for a number and 2.0 for a whole one, and its messages name no remedy.
"""

import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, repr=False)
class Bounds:
    """Bounds of a number: of an option, or of an argument whose hint is ``Annotated[float, Bounds(...)]``.

    Parameters
    ----------
    above, at_least, below, at_most : float, optional
        The bounds.
    finite : bool
        Whether infinity is refused.
    """

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    finite: bool = True

    def __contains__(self, value: float) -> bool:
        """Whether a number is within them; NaN is not."""
        return (
            value == value
            and not (self.finite and abs(value) == float("inf"))
            and (self.above is None or value > self.above)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )

    def __repr__(self) -> str:
        """In words, as "at least 0 and finite"."""
        if self.at_least is not None and self.at_most is not None:
            return f"between {self.at_least:,g} and {self.at_most:,g}"
        words = {"above": "greater than", "at_least": "at least", "below": "less than", "at_most": "at most"}
        found = {text: getattr(self, kind) for kind, text in words.items()}
        text = [f"{word} {bound:,g}" for word, bound in found.items() if bound is not None]
        if self.finite and self.below is None and self.at_most is None:
            text.append("finite")
        return " and ".join(text) or "a number"


Threshold = Annotated[float, Bounds(above=0, at_most=1)]
"""Least probability of a member: with 0 every star that was judged would be one."""
Share = Annotated[float, Bounds(at_least=0, at_most=1)]
Scatter = Annotated[float, Bounds(at_least=0)]
Longitude = Annotated[float, Bounds(at_least=0, at_most=360)]
Latitude = Annotated[float, Bounds(at_least=-90, at_most=90)]
Seed = Annotated[int, Bounds(at_least=0, below=2**63)]

_UNFIT = object()
_LARGEST = 1e300  # about what a float holds
_PLAIN: dict[Any, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}
_WORDS = {str: "a text", bool: "True or False", int: "a whole number", float: "a number", Path: "a path"}
_WORDS |= {type(None): "None"}
_TYPES = {"DataFrame": "pandas DataFrame", "ndarray": "array of numbers"}
_REMEDIES = {
    "Classifier": "take what `Classifier.load` gives",
    "Cluster": "take `sets.cluster`, or what `catalogues.lookup.find_cluster` gives",
    "ConeRegion": "take what `cone.cone_region` gives",
    "DataFrame": "take what `read_table` gives of a file, or Table.to_pandas() of an astropy Table in Gaia's units",
    "Generator": "take numpy.random.default_rng(seed)",
    "InputTables": "take what `read_input_tables` gives",
    "Isochrone": "take what `place_isochrone` gives",
    "ModelFiles": "take what `model_files.ModelFiles.read` gives",
    "SearchTarget": "take what `find_target` gives",
    "SelectionLimits": "take what `selection_limits` gives",
    "Series": "take probabilities by source_id, as `find_members` gives them",
    "SourceSets": "take what `load_sets` or `build_sets` gives",
}
"""What gives an object of a type that nobody writes by hand."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Public function that holds its arguments against its type hints before it does anything.

    NumPy's numbers become Python's, one name where several are asked for becomes a list. What does not fit is refused.

    Parameters
    ----------
    function : callable
        Every parameter has a hint, but for self and cls.

    Returns
    -------
    callable
        Raises TypeError for an argument of another type, or for one that is missing; ValueError for a number out of its
        bounds. Its docstring says so.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> R:
        where, hints = function.__qualname__, type_hints(function)
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:
            asked = str(error).partition("'")[2].rstrip("'")
            raise TypeError(f"{where}: {error}{_remedy(hints.get(asked))}.") from None
        for name, value in given.arguments.items():
            if name in hints:
                given.arguments[name] = fitting(value, hints[name], f"{where}: {name}")
        return function(*given.args, **given.kwargs)

    held.__doc__ = _with_errors(inspect.getdoc(function) or "")
    return held


def _with_errors(description: str) -> str:
    """Docstring whose last section, the errors, has what every checked function raises."""
    heading = "" if "\nRaises\n" in description else "\n\nRaises\n------"
    return (
        f"{description}{heading}\nTypeError, ValueError\n"
        "    If an argument is missing, of another type, or a number out of its bounds."
    )


def settle(instance: Any) -> None:
    """Give the fields of a frozen dataclass the types of their hints.

    Parameters
    ----------
    instance : dataclass
        In its ``__post_init__``.

    Raises
    ------
    TypeError, ValueError
        See `fitting`.
    """
    hints = type_hints(type(instance))  # type: ignore[arg-type]  # classes are hashable
    for each in fields(instance):
        value = getattr(instance, each.name)
        fitted = fitting(value, hints[each.name], each.name)
        if fitted is not value:
            object.__setattr__(instance, each.name, fitted)


@functools.cache
def type_hints(of: Any) -> dict[str, Any]:
    """Type hints of a function or a class by name."""
    return typing.get_type_hints(of, include_extras=True)


def fitting(value: Any, hint: Any, name: str) -> Any:
    """Value as the type of a hint.

    Parameters
    ----------
    value : any
        What was given.
    hint : type
        What is asked for.
    name : str
        What the value is called in messages.

    Returns
    -------
    any
        Python's own number for one of NumPy's, a path for its text, a tuple or list for another series of values.

    Raises
    ------
    TypeError
        If it is of another type.
    ValueError
        If it is none of the choices, or out of the bounds.
    """
    fitted = _fitted(value, hint)
    if fitted is _UNFIT:
        remedy = _remedy(hint)
        if type(value).__name__ == "Quantity":
            remedy = ": take its plain value, quantity.to_value(unit)"
        kind = ValueError if isinstance(value, str) and _choices(hint) else TypeError
        raise kind(f"{name} is {_shown(value)}, but must be {_in_words(hint)}{remedy}.")
    for bounds in _bounds(hint) if fitted is not None else ():
        if fitted not in bounds:
            raise ValueError(f"{name} is {value}, but must be {bounds}.")
    return fitted


def _fitted(value: Any, hint: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        return _fitted(value, inner[0])
    if origin in (types.UnionType, typing.Union):
        found = [fitted for kind in inner if (fitted := _fitted(value, kind)) is not _UNFIT]
        return next((fitted for fitted in found if fitted is value), found[0] if found else _UNFIT)
    if origin is Literal:
        return value if isinstance(value, str) and value in inner else _UNFIT
    if origin in (tuple, list, Iterable, Sequence):
        return _several(value, origin, inner)
    if hint is str and isinstance(value, os.PathLike):  # of a list of names
        return os.fspath(value)
    if hint in _PLAIN:
        plain = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
        fits = isinstance(plain, _PLAIN[hint]) and (hint is bool or not isinstance(plain, bool))
        return (float(plain) if hint is float and abs(plain) < _LARGEST else plain) if fits else _UNFIT
    if hint is Path:
        return Path(value) if isinstance(value, str | os.PathLike) else _UNFIT
    if origin is Callable:
        return value if callable(value) else _UNFIT
    kind = origin or hint
    if getattr(kind, "__name__", "") == "ndarray":
        return _as_array(value)
    return value if not isinstance(kind, type) or isinstance(value, kind) else _UNFIT


def _several(value: Any, origin: Any, inner: tuple[Any, ...]) -> Any:
    """A series of values; one alone counts as a series of one."""
    item = inner[0]
    if not _is_plain(item) and not _choices(item):  # Axes, in whatever holds them
        return value
    if _fitted(value, item) is not _UNFIT:
        value = [value]
    if isinstance(value, str | Mapping) or getattr(value, "ndim", 1) != 1 or not isinstance(value, Iterable):
        return _UNFIT
    fitted = [_fitted(each, item) for each in value]
    n_asked = len(inner) if origin is tuple and inner[-1] is not ... else len(fitted)
    if len(fitted) != n_asked or any(each is _UNFIT for each in fitted):
        return _UNFIT
    return tuple(fitted) if origin is tuple else fitted


def _as_array(value: Any) -> Any:
    """Numbers as an array, whatever holds them."""
    from numpy import asarray

    try:
        return asarray(value, float)
    except (TypeError, ValueError):
        return _UNFIT


def _is_plain(hint: Any) -> bool:
    return hint in _PLAIN or any(kind in _PLAIN for kind in typing.get_args(hint))


def _choices(hint: Any) -> tuple[str, ...]:
    """What a text may be, where a hint has a list of choices."""
    parts = (hint, *typing.get_args(hint))
    return next((typing.get_args(part) for part in parts if typing.get_origin(part) is Literal), ())


def _bounds(hint: Any) -> tuple[Bounds, ...]:
    """Bounds of a number, also of one that may be None."""
    parts = (hint, *typing.get_args(hint))
    return next((part.__metadata__ for part in parts if typing.get_origin(part) is Annotated), ())


def _remedy(hint: Any) -> str:
    """What gives a value of a hint's type, after a colon; nothing where that is plain."""
    kinds = (_name(part) for part in (hint, *typing.get_args(hint)))
    return next((f": {_REMEDIES[kind]}" for kind in kinds if kind in _REMEDIES), "")


def _name(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint))


def _in_words(hint: Any) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return f"{_in_words(inner[0])} {inner[1]}"
    if origin in (types.UnionType, typing.Union, Literal):
        return " or ".join(part if isinstance(part, str) else _in_words(part) for part in inner)
    if origin in (tuple, list, Iterable, Sequence):
        number = f"{len(inner)} values" if origin is tuple and inner[-1] is not ... else "values"
        return f"a list of {number}, each {_in_words(inner[0])}"
    return _WORDS.get(hint) or _with_article(_TYPES.get(name := _name(origin or hint), name))


def _shown(value: Any) -> str:
    """A value in a message: itself if it is short, else its type."""
    if value is None or isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    if isinstance(value, list | tuple) and len(repr(value)) <= 60:
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return _with_article(type(value).__name__)


def _with_article(name: str) -> str:
    return f"a{'n' * (name[0] in 'AEIOaeio')} {name}"
