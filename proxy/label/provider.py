"""Who labels: a provider's code or name, as it stands in ContentProducer (GB 45438 Appendix E d).

Law: a value of 27 digits and capitals that begins with ``00`` is a code and must be well formed; anything else is a
name in the character set of Appendix E j). The code's form is that of the coding rules for service providers (2025):
format ``00``, subject type, binding method, 18 characters of subject, service type, 4 of one's own. The code has no
check digit of its own; the subject's unified social credit code has one (GB 32100-2015).
"""

from typing import NamedTuple

from proxy.label.aigc import check_value
from proxy.label.errors import LabelError

CODE_LENGTH = 27

_CAPITALS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_BY_USCC = "11"
_SERVICES = {"1": "generation", "2": "propagation"}


class Code(NamedTuple):
    """A provider's code in its parts: the 18 characters of its subject (a unified social credit code where it is an
    ``organisation``), the kind of service, "generation", "propagation" or empty where none is coded, and the last four
    characters, which are the provider's own choice, empty with it."""

    subject: str
    organisation: bool
    service: str
    own: str


def read_code(value: str) -> Code | None:
    """The parts of ``value``; None where it is a name and no code. LabelError where a code is not well formed."""
    if not _is_code(value):
        return None
    _check_code(value)
    service = _SERVICES.get(value[22], "")
    return Code(value[4:22], value[2:4] == _ORGANISATION_BY_USCC, service, value[23:] if service else "")


def check_provider(value: str) -> None:
    """LabelError, saying what is wrong, unless ``value`` can stand as ContentProducer.

    The subject of a code is checked where it is an organisation's credit code (``0011...``). How an individual is coded
    is not public, so such codes are checked for their frame only.
    """
    if not value:
        raise LabelError("the provider is empty: give the 27-character provider code, or a name without spaces")
    if _is_code(value):
        _check_code(value)
    elif value.startswith("0011") and value.isalnum() and 20 <= len(value) <= 34:
        wrong = f"{len(value)} characters" if len(value) != CODE_LENGTH else "other characters"
        raise LabelError(f"provider {value!r} looks like a code but has {wrong}: a code is 27 digits and capitals")
    else:
        check_value(f"provider {value!r}", value)


def _is_code(value: str) -> bool:
    return len(value) == CODE_LENGTH and value.startswith("00") and _CAPITALS.issuperset(value)


def _check_code(code: str) -> None:
    if code[2:4] == _ORGANISATION_BY_USCC:
        _check_credit_code(code, code[4:22])
    extension = code[22:]
    if extension[0] not in _SERVICES and extension != "00000":
        raise LabelError(
            f"provider code {code!r}: character 23 is {extension[0]!r}, not 1 (generation) or 2 (propagation), "
            "and the last five are not 00000"
        )


def _check_credit_code(code: str, subject: str) -> None:
    for position, character in enumerate(subject, start=5):
        if character not in _USCC_ALPHABET:
            raise LabelError(
                f"provider code {code!r}: character {position} is {character!r}, "
                "which a unified social credit code never holds (no I, O, S, V, Z)"
            )
    digits = [_USCC_ALPHABET.index(character) for character in subject[:17]]
    total = sum(digit * weight for digit, weight in zip(digits, _USCC_WEIGHTS, strict=True))
    expected = _USCC_ALPHABET[-total % 31]
    if subject[17] != expected:
        raise LabelError(
            f"provider code {code!r}: the check digit of the credit code {subject!r} is {subject[17]!r}, "
            f"expected {expected!r}"
        )
