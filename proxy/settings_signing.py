"""The law of this file: keys that sign do not stand in config.yaml, and nothing that is said of them repeats them.

``sign`` of an upstream says how its requests are signed, and where the keys are: in the environment, in files, or where
AWS's own tools look for them. What is named must be there at start; only AWS's own chain is asked when it is needed.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StrictStr

from proxy.policy.errors import Fault
from proxy.policy.reader import closest
from proxy.settings_secrets import Secret, read_secret
from proxy.signing import Credentials

__all__ = ["SignFile", "Signing", "read_signing"]

_WORD = re.compile(r"[a-z0-9][a-z0-9-]*")

_MISSING = "the key {} is missing"


@dataclass(frozen=True, slots=True)
class Signing:
    """How the requests to an upstream are signed. ``credentials`` is None where AWS's own chain is asked, for
    ``profile`` or for whatever it finds; ``region`` is empty where the signature names none."""

    scheme: Literal["sigv4", "tc3"]
    service: str
    region: str
    credentials: Credentials | None
    profile: str | None


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("must be a name of small letters, digits and hyphens, such as bedrock or us-east-1")
    return value


def _mapping(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("must be a mapping that says where key_id and secret are, or the profile")
    return value


Word = Annotated[StrictStr, AfterValidator(_word)]


class CredentialsFile(BaseModel):
    """``sign.credentials``: where the keys are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_id: Secret | None = None
    secret: Secret | None = None
    token: Secret | None = None
    profile: StrictStr | None = None


class SignFile(BaseModel):
    """``sign`` of an upstream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: Literal["none", "sigv4", "tc3"] = "none"
    service: Word | None = None
    region: Word | None = None
    credentials: Annotated[CredentialsFile, BeforeValidator(_mapping)] = CredentialsFile()


def read_signing(
    sign: SignFile, folder: Path, environment: Mapping[str, str] | None
) -> tuple[Signing | None, list[Fault]]:
    """How to sign, with the keys read, or None where nothing is to be signed; and what is wrong, with paths that begin
    below ``sign``. Paths of files start from ``folder``. Without an ``environment`` no key is asked for, and none is
    there."""
    if sign.scheme == "none":
        alone = sign == SignFile()
        return None, [] if alone else [Fault(("scheme",), "must be sigv4 or tc3, for what stands beside it")]
    faults = [*_faults(sign), *(_unknown_profile(sign) if environment is not None else ())]
    if faults or environment is None:
        return None, faults
    keys: dict[str, str] = {}
    for name in ("key_id", "secret", "token"):
        place = getattr(sign.credentials, name)
        if place is None:
            continue
        try:
            keys[name] = read_secret(place, folder, environment)
        except ValueError as error:
            faults.append(Fault(("credentials", name), str(error)))
    if faults:
        return None, faults
    assert sign.service is not None
    credentials = Credentials(**keys) if keys else None
    return Signing(sign.scheme, sign.service, sign.region or "", credentials, sign.credentials.profile), []


def _faults(sign: SignFile) -> Iterator[Fault]:
    """What does not fit together."""
    held = sign.credentials
    if sign.service is None:
        yield Fault((), _MISSING.format("service"))
    if (held.key_id is None) is not (held.secret is None):
        yield Fault(("credentials",), _MISSING.format("key_id" if held.key_id is None else "secret"))
    elif held.key_id is None and held.token is not None:
        yield Fault(("credentials", "token"), "belongs to a key_id and a secret, which are missing")
    if sign.scheme == "tc3":
        if sign.region is not None:
            yield Fault(("region",), "tc3 names no region: it is the clients' to say, in X-TC-Region")
        if held.profile is not None:
            yield Fault(("credentials", "profile"), "tc3 knows no profiles: say where key_id and secret are")
        elif held.key_id is None and held.secret is None:
            yield Fault(("credentials",), "tc3 needs a key_id and a secret")
        return
    if sign.region is None:
        yield Fault((), _MISSING.format("region"))
    if held.profile is not None and held.key_id is not None:
        yield Fault(("credentials", "profile"), "stands in place of key_id and secret: say one of the two")
    elif importlib.util.find_spec("botocore") is None:
        yield Fault(("scheme",), "sigv4 needs botocore: install countermark[aws]")


def _unknown_profile(sign: SignFile) -> Iterator[Fault]:
    profile = sign.credentials.profile
    if profile is None or next(_faults(sign), None) is not None:
        return
    from proxy.signing_sigv4 import profiles  # the extra may be missing, and few need it

    try:
        known = [*profiles()]
    except ValueError as error:
        yield Fault(("credentials", "profile"), str(error))
        return
    if profile not in known:
        yield Fault(("credentials", "profile"), f"AWS's files know no profile {profile}{closest(profile, known)}")
