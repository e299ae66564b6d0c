"""Signed requests checked as those who receive them do: from what came over the wire, and a secret that both know.

AWS's twice over: by the rules as they are published, spelled out here as a server reads a request, and by botocore.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tests.scripted import Received

AWS = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    rb"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
TENCENT = re.compile(
    rb"TC3-HMAC-SHA256 Credential=([^/]+)/(\d{4}-\d\d-\d\d)/([^/]+)/tc3_request, "
    rb"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Proof:
    """What a signature says of itself."""

    key_id: str
    service: str
    region: str
    covers: list[str]


def aws(request: Received, secret: str) -> Proof:
    """The proof of a request, which holds."""
    found = AWS.fullmatch(_only(request, b"authorization"))
    assert found, "not signed for AWS"
    key_id, date, region, service, names, signature = (part.decode() for part in found.groups())
    covers = names.split(";")
    assert sorted(covers) == covers
    time = _only(request, b"x-amz-date").decode()
    assert time.startswith(date)
    # What AWS asks to be covered.
    wanted = {
        name.lower().decode() for name, _ in request.headers if re.match(rb"(?i)host$|content-type$|x-amz-", name)
    }
    assert wanted <= set(covers)

    path, _, query = request.target.decode("ascii").partition("?")
    # A server knows the path decoded, and encodes it anew; twice, for all services but S3.
    read = [unquote_to_bytes(segment) for segment in path.split("/")]
    uri = "/".join(quote(quote(segment, safe=""), safe="") for segment in read)
    pairs = sorted(
        (quote(unquote_to_bytes(name), safe=""), quote(unquote_to_bytes(value), safe=""))
        for name, _, value in _pairs(query)
    )
    asked = "&".join(f"{name}={value}" for name, value in pairs)
    lines = "".join(f"{name}:{' '.join(_only(request, name.encode()).decode().split())}\n" for name in covers)
    canonical = "\n".join([request.method, uri, asked, lines, names, sha256(request.body).hexdigest()])
    scope = f"{date}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, sha256(canonical.encode()).hexdigest()])
    assert _chain(f"AWS4{secret}", date, region, service, "aws4_request", text) == signature, "by the rules"

    again = AWSRequest(request.method, f"https://host{request.target.decode('ascii')}", data=request.body)
    for name in covers:
        again.headers[name] = _only(request, name.encode()).decode()
    again.context["timestamp"] = time
    signer = SigV4Auth(ReadOnlyCredentials(key_id, secret, None), service, region)
    assert signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again) == signature, (
        "by botocore"
    )
    return Proof(key_id, service, region, covers)


def tencent(request: Received, secret: str) -> Proof:
    """The proof of a request, which holds."""
    found = TENCENT.fullmatch(_only(request, b"authorization"))
    assert found, "not signed for Tencent Cloud"
    key_id, date, service, names, signature = (part.decode() for part in found.groups())
    _, _, query = request.target.decode("ascii").partition("?")
    lines = "".join(f"{name}:{_only(request, name.encode()).decode().lower()}\n" for name in names.split(";"))
    canonical = "\n".join([request.method, "/", query, lines, names, sha256(request.body).hexdigest()])
    time = _only(request, b"x-tc-timestamp").decode()
    text = "\n".join(["TC3-HMAC-SHA256", time, f"{date}/{service}/tc3_request", sha256(canonical.encode()).hexdigest()])
    assert _chain(f"TC3{secret}", date, service, "tc3_request", text) == signature
    return Proof(key_id, service, "", names.split(";"))


def _chain(key: str, *steps: str) -> str:
    now = key.encode()
    for step in steps:
        now = hmac.digest(now, step.encode(), "sha256")
    return now.hex()


def _pairs(query: str) -> list[tuple[str, str, str]]:
    return [pair.partition("=") for pair in query.split("&")] if query else []


def _only(request: Received, name: bytes) -> bytes:
    """The value of a field that is there once."""
    (value,) = [value for key, value in request.headers if key.lower() == name]
    return value
