"""Ways to damage the content of a file, each by a random generator's choice."""

import random
import re


def bit_flip(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def cut_rows(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[: rng.randrange(len(lines))])


def emptied(content: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", b"\n", b" ", b"\0" * 100))


def repeated(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start : start + rng.randrange(1, 400)] * 2 + content[start:]


def swapped(content: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(content)) for _ in range(2))
    return content[:a] + content[b : b + 50] + content[a:b] + content[a : a + 50] + content[b:]


def huge_number(content: bytes, rng: random.Random) -> bytes:
    return _replace_number(
        content, rng, rng.choice((b"1e308", b"-1e300", b"9" * 400, b"9223372036854775808", b"inf"))
    )


def wrong_type(content: bytes, rng: random.Random) -> bytes:
    return _replace_number(
        content, rng, rng.choice((b"blue", b'"text"', b"null", b"true", b"[]", b"{}", b"nan", b""))
    )


def nested(content: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((100, 5_000, 50_000))
    lists, objects = b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth
    return _replace_number(content, rng, rng.choice((lists, objects)))


_PAGE, _ARCHIVE = b"<html><body>404</body></html>\n", b"PK\x03\x04" + bytes(60)


def another_file(content: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"%PDF-1.7\n", _PAGE, _ARCHIVE, rng.randbytes(2000), b"PAR1" * 30))


def changed_value(content: bytes, rng: random.Random) -> bytes:
    return _replace_number(content, rng, str(round(rng.uniform(-50, 50), 3)).encode())


def _replace_number(content: bytes, rng: random.Random, new: bytes) -> bytes:
    """Put something in the place of a number; of a binary file, in any place."""
    places = list(re.finditer(rb"(?<![\w.\"-])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.\"])", content))
    if not places or b"\0" in content[:4000]:
        start = rng.randrange(len(content))
        return content[:start] + new + content[start + len(new) :]
    place = rng.choice(places)
    return content[: place.start()] + new + content[place.end() :]


KINDS = (
    *(bit_flip, cut, cut_rows, emptied, repeated, swapped, huge_number, wrong_type, nested, another_file),
    changed_value,
)
