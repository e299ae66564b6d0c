"""Text in a form that no rule reads: what is recognised must also be understood, or it could leave unlabelled.

Looked for is a string, or a list of them, under a member's name under which the rules read text, anywhere but where
they did and where the table says that it is ``silent``. Known and without text are an absent member, null, ``""``,
``[]`` and ``{}``.
"""

from collections.abc import Iterable
from typing import Any

from proxy.dialects.dialect import Silent

Place = tuple[str | int, ...]


def residue(
    document: Any, leaves: frozenset[str], flags: tuple[str, ...], silent: Silent, read: set[tuple[int, str]]
) -> Place | None:
    """Where text stands that was not read, or None.

    ``leaves`` are the names of texts, ``flags`` the members that say of an object that its text is for nobody, ``read``
    the identities of the objects that were read, with the member's name.
    """
    names, types = silent.names, silent.types
    left: list[tuple[Any, Place]] = [(document, ())]
    while left:
        value, place = left.pop()
        if type(value) is dict:
            if types and type(kind := value.get("type")) is str and kind in types:
                continue
            if flags and any(value.get(flag) for flag in flags):
                continue
            for name, one in value.items():
                if type(one) is str:
                    if one and name in leaves and (id(value), name) not in read:
                        return (*place, name)
                elif (type(one) is dict or type(one) is list) and one and name not in names:
                    if type(one) is list and name in leaves and (id(value), name) not in read and _has_text(one):
                        return (*place, name)
                    left.append((one, (*place, name)))
        else:
            left += (
                [(one, (*place, at)) for at, one in enumerate(value) if type(one) is dict or type(one) is list]
                if type(value) is list
                else ()
            )
    return None


def instead(containers: Iterable[tuple[str, ...]], document: Any) -> Place | None:
    """Where something other than a list stands in the place of the elements that the rules look for, or None."""
    for names in containers:
        value = document
        for name in names:
            value = value.get(name) if type(value) is dict else None
        if names and type(value) is not list and not is_empty(value):
            return names
    return None


def is_empty(value: Any) -> bool:
    """Whether a value holds nothing: null, false, an empty text, list or object."""
    return not value and type(value) not in (int, float)


def _has_text(values: list[Any]) -> bool:
    return any(type(one) is str and one for one in values)
