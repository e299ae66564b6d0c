"""The statement: one JSON object in which an answer says where it comes from, for all laws that ask for that.

Law: what is said is known, and what is not known is not said: a member without a value is left out. It tells nothing
about who asked, what for, or on whose account. Written in ASCII, on one line, so that it can stand in any JSON and XML.

====================  =========================================================================================
ai_generated          true
mode                  ``created``, or ``altered`` where the answer is an edit of what the client sent
provider_name         who offers the system, as people call it; provider_id as labels do (ContentProducer)
system_name           the system, with system_version (IPTC AISystemUsed and AISystemVersionUsed)
model                 ``{"id": ...}``, as the client named it
created_at            RFC 3339, in UTC, to the second; of what was stored in between, when it was read
content_id            the ProduceID of what the statement speaks of
computer_resource_id  the URL under which the system is reached
digital_source_type   the IPTC NewsCode
policy                the policy set's short digest (``set``), and the policies that asked for this (``names``)
upstream_marks        what the model's maker is said to have put in: c2pa, synthid, watermark
====================  =========================================================================================

California asks for provider_name, system_name and system_version, created_at, content_id and mode (Business and
Professions Code, section 22757.3(a), A to E), India for content_id and computer_resource_id (IT Rules, rule 3(3)).
Whether a system is primarily assistive (F, from 2029) is not known here. Neither a hash of the content nor a URL to
verify it at is among the members: a file cannot hold its own hash, and there is no such page yet.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final, NamedTuple

MEMBER: Final = "ai_disclosure"
"""What the statement is called in JSON."""

# Compared as strings by readers: http, not https.
SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
CREATED: Final = "trainedAlgorithmicMedia"
ALTERED: Final = "compositeWithTrainedAlgorithmicMedia"


class Speaker(NamedTuple):
    """Who says it, the same for every answer under one policy set: the members of these names; ``policy_set`` is the
    set's short digest. What is empty is not said."""

    provider_name: str
    provider_id: str
    system_name: str = ""
    system_version: str = ""
    computer_resource_id: str = ""
    policy_set: str = ""


class Grounds(NamedTuple):
    """Why it is said: the policies that asked for something, and the marks that are said to be there, both sorted."""

    policies: tuple[str, ...] = ()
    upstream_marks: tuple[str, ...] = ()


class Making(NamedTuple):
    """How it was made: when, in Unix seconds (None where nobody knows), by which model as the client named it, and
    whether out of something that the client sent."""

    seconds: int | None = None
    model: str = ""
    altered: bool = False

    @property
    def source_type(self) -> str:
        """The term of the IPTC NewsCodes digital source types."""
        return ALTERED if self.altered else CREATED


UNTOLD: Final = Making()


def statement(speaker: Speaker, grounds: Grounds, making: Making, content_id: str) -> str:
    """The JSON text. A model's name that does not print, or is none, is left out."""
    before, behind = _template(speaker, grounds, making.altered)
    model = f'"model":{{"id":{_quoted(making.model)}}},' if making.model and making.model.isprintable() else ""
    created = "" if making.seconds is None else f'"created_at":"{_spelled(making.seconds)}",'
    return f'{before}{model}{created}"content_id":{_quoted(content_id)}{behind}'


@lru_cache(maxsize=1024)
def _template(speaker: Speaker, grounds: Grounds, altered: bool) -> tuple[str, str]:
    """What stands in front of that which differs from answer to answer, and what stands behind it."""
    before = ['"ai_generated":true', f'"mode":{_quoted("altered" if altered else "created")}']
    before += _given(speaker, "provider_name", "provider_id", "system_name", "system_version")
    policy = f'"set":{_quoted(speaker.policy_set)},' if speaker.policy_set else ""
    behind = [
        *_given(speaker, "computer_resource_id"),
        f'"digital_source_type":{_quoted(SOURCE_TYPES + (ALTERED if altered else CREATED))}',
        f'"policy":{{{policy}"names":{_listed(grounds.policies)}}}',
    ]
    if grounds.upstream_marks:
        behind.append(f'"upstream_marks":{_listed(grounds.upstream_marks)}')
    return f"{{{','.join(before)},", f",{','.join(behind)}}}"


def _given(speaker: Speaker, *names: str) -> Iterator[str]:
    return (f'"{name}":{_quoted(value)}' for name in names if (value := getattr(speaker, name)))


def _listed(values: tuple[str, ...]) -> str:
    return f"[{','.join(map(_quoted, values))}]"


@lru_cache(maxsize=64)  # many answers a second
def _spelled(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
