"""Plain ADQL queries taken apart, to count their rows or to ask for a part of them."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class PlainSelect:
    """A query for named columns of one table, without grouping, sorting or a limit.

    Parameters
    ----------
    columns : tuple of str
        Names, in the query's order; quoted ones keep their quotes, renamed ones their ``AS``.
    table : str
        Name of the table.
    condition : str
        What stands after WHERE, may be empty.
    """

    columns: tuple[str, ...]
    table: str
    condition: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the result."""
        return tuple(_split(column)[1].strip('"') for column in self.columns)

    def expression(self, name: str) -> str:
        """What the query calls the column that has this name in the result.

        Raises
        ------
        KeyError
            If the result has no such column.
        """
        return dict(zip(self.names, (_split(column)[0] for column in self.columns), strict=True))[name]

    def text(self) -> str:
        """Return the query as ADQL."""
        where = f"\nWHERE {self.condition}" if self.condition else ""
        return f"SELECT {', '.join(self.columns)}\nFROM {self.table}{where}"

    def narrowed(self, condition: str) -> "PlainSelect":
        """Give the query one more condition, which must hold too."""
        both = f"{self.condition}\n  AND {condition}" if self.condition else condition
        return PlainSelect(self.columns, self.table, both)

    def asking(self, *expressions: str) -> "PlainSelect":
        """Ask for other expressions of the same rows."""
        return PlainSelect(expressions, self.table, self.condition)


_NAME = r'(?:\w+|"[^"]+")'
_COLUMN = rf"{_NAME}(?:\s+AS\s+{_NAME})?"
_PLAIN = re.compile(
    rf"\s*SELECT\s+(?P<columns>{_COLUMN}(?:\s*,\s*{_COLUMN})*)\s+FROM\s+(?P<table>{_NAME}(?:\.{_NAME})*)"
    r"(?:\s+WHERE\s+(?P<condition>.+?))?[\s;]*",
    re.IGNORECASE | re.DOTALL,
)
_MORE_THAN_PLAIN = re.compile(
    r"--|;|\b(?:GROUP|ORDER|HAVING|UNION|EXCEPT|INTERSECT|OFFSET|SELECT|JOIN)\b", re.IGNORECASE
)


def plain_select(query: str) -> PlainSelect | None:
    """Take a query apart, if it is plain.

    Parameters
    ----------
    query : str
        ADQL.

    Returns
    -------
    PlainSelect or None
        None if the query is anything but columns of one table under a condition.
    """
    match = _PLAIN.fullmatch(query)
    condition = (match["condition"] or "") if match else ""
    if match is None or _MORE_THAN_PLAIN.search(condition):
        return None
    if re.search(r"\bOR\b", condition, re.IGNORECASE):
        condition = f"({condition})"
    columns = tuple(re.findall(_COLUMN, match["columns"], re.IGNORECASE))
    return PlainSelect(columns, match["table"], condition)


def _split(column: str) -> tuple[str, str]:
    """What a column is called in the table, and in the result."""
    found = re.fullmatch(rf"({_NAME})(?:\s+AS\s+({_NAME}))?", column, re.IGNORECASE)
    return found[1], found[2] or found[1]
