"""AWS Signature Version 4, by botocore, and the keys that botocore finds.

The law: the path that is sent is spelled as AWS spells it: in each segment, everything but letters, digits and ``-._~``
is percent-encoded. AWS decodes a path and encodes it again before it checks the signature, twice where the service is
not S3. So ``:`` and ``%3A`` in a model's id, the same to it, must both be sent as ``%3A`` and be signed as ``%253A``
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

Who imports this needs the extra ``aws``.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from proxy.labelling.message import Headers
from proxy.signing import Credentials, Outgoing

__all__ = ["fetcher", "profiles", "respelled", "sign"]

_AMAZONS = b"x-amz-"


class _Signature(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """A signature over a body that is known by its digest."""

    def __init__(self, credentials: Credentials, service: str, region: str, digest: str) -> None:
        keys = ReadOnlyCredentials(credentials.key_id, credentials.secret, credentials.token or None)
        super().__init__(keys, service, region)
        self._digest = digest

    def payload(self, request: AWSRequest) -> str:
        return self._digest


def sign(out: Outgoing, service: str, region: str, credentials: Credentials, at: float) -> Headers:
    """The fields that make a request, whose path and query are ``respelled``, a signed one; ``at`` is the Unix time in
    seconds, from which it holds for five minutes.

    Covered are the fields that AWS asks for and no others: one that a proxy on the way changes must not be among them.
    """
    timestamp = datetime.fromtimestamp(int(at), UTC).strftime("%Y%m%dT%H%M%SZ")
    added: Headers = [(b"x-amz-date", timestamp.encode())]
    if credentials.token:
        added.append((b"x-amz-security-token", credentials.token.encode()))
    # The scheme and the host of this URL are looked at by nobody: Host is among the fields.
    request = AWSRequest(out.method, f"https://host{out.path.decode('ascii')}?{out.query.decode('ascii')}")
    request.headers["host"] = out.host.decode("ascii")
    for name, value in [*out.headers, *added]:
        if name == b"content-type" or name.startswith(_AMAZONS):
            request.headers[name.decode("latin-1")] = value.decode("latin-1")  # one more of the name, if there is one
    request.context["timestamp"] = timestamp
    signature = _Signature(credentials, service, region, out.digest)
    text = signature.string_to_sign(request, signature.canonical_request(request))
    names = signature.signed_headers(signature.headers_to_sign(request))
    proof = signature.signature(text, request)
    said = f"AWS4-HMAC-SHA256 Credential={signature.scope(request)}, SignedHeaders={names}, Signature={proof}"
    return [*added, (b"authorization", said.encode())]


def respelled(target: bytes) -> bytes:
    """The same path and query, percent-encoded as AWS does it."""
    path, asks, query = target.partition(b"?")
    spelled = "/".join(map(_segment, path.split(b"/")))
    if asks:
        # A plus sign in a query is what forms write for a space.
        pairs = [pair.replace(b"+", b"%20").partition(b"=") for pair in query.split(b"&")]
        spelled += "?" + "&".join(_encoded(name) + is_.decode() + _encoded(value) for name, is_, value in pairs)
    return spelled.encode()


def _segment(segment: bytes) -> str:
    spelled = _encoded(segment)
    # Dots in disguise stay so: what they would come to is not what was asked here.
    return segment.decode("ascii") if spelled in (".", "..") else spelled


def _encoded(part: bytes) -> str:
    return quote(unquote_to_bytes(part), safe="")


def profiles() -> Iterable[str]:
    """The profiles in AWS's own files. No network is asked. ValueError where the files cannot be read."""
    try:
        found: Iterable[str] = Session().available_profiles
    except BotoCoreError as error:
        raise ValueError(f"AWS's files cannot be read: {type(error).__name__}") from None
    return found


def fetcher(profile: str | None) -> Callable[[], Credentials | None]:
    """What fetches the keys that botocore finds for a profile, or anywhere where it looks: the environment, files,
    processes, the machine's or the container's own role. They are renewed as they need to be. It may take seconds, and
    raises what it likes; None: nothing was found."""
    session = Session(profile=profile)
    found: Any = None

    def fetch() -> Credentials | None:
        nonlocal found
        if found is None:
            found = session.get_credentials()
        if found is None:
            return None
        now = found.get_frozen_credentials()
        return Credentials(now.access_key, now.secret_key, now.token or "")

    return fetch
