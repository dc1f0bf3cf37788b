"""Sentences that remember what they say, so that whoever shows them can say the same in another language."""

from typing import Any, Self


class Told(str):
    """A sentence in English that is still its facts: ``key`` names the sentence, ``values`` holds what was put into it.

    It is a text wherever texts are kept, sent or compared. Values may be sentences themselves, or tuples of them: a list.
    """

    key: str
    values: dict[str, Any]

    def __new__(cls, text: str, key: str, values: dict[str, Any]) -> Self:
        """Return a text with its facts; :func:`told` makes both from a pattern."""
        made = super().__new__(cls, text)
        made.key, made.values = key, values
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, dict[str, Any]]]:
        """Return how to make it again, on the other side of a process's door too."""
        return type(self), (str(self), self.key, self.values)


def told(key: str, pattern: str, **values: Any) -> Told:
    """Return a sentence whose ``pattern`` is in English, with ``values`` in its braces as :meth:`str.format` puts them there."""
    return Told(put_into(pattern, values, ", "), key, values)


def put_into(pattern: str, values: dict[str, Any], comma: str) -> str:
    """Return a pattern filled; a value that is a tuple becomes a list with ``comma`` between its parts."""
    return pattern.format(**{k: comma.join(map(str, v)) if isinstance(v, tuple) else v for k, v in values.items()})


def words_of(problem: Exception) -> str:
    """Return what an error says, with its facts where it was raised with a sentence that has some."""
    first = problem.args[0] if problem.args else ""
    return first if isinstance(first, Told) else str(problem)
