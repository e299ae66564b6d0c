"""Tencent Cloud's signature v3, TC3-HMAC-SHA256 (https://cloud.tencent.com/document/api/213/30654).

The law: it covers the method, the query, the type of the content, the host, the action and the body. The path is always
``/`` in this API; region, version and language are fields of the client's own that no signature covers.
"""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

from proxy.labelling.message import Headers, value
from proxy.signing import Credentials, Outgoing

__all__ = ["sign"]

_ALGORITHM = "TC3-HMAC-SHA256"
_END = "tc3_request"
_COVERED = (b"content-type", b"x-tc-action")


def sign(out: Outgoing, service: str, credentials: Credentials, at: float) -> Headers:
    """The fields that make a request a signed one; ``at`` is the Unix time in seconds, from which it holds for five
    minutes."""
    covered = {name: value(out.headers, name) for name in _COVERED}
    covered = {b"host": out.host} | {name: found for name, found in covered.items() if found}
    names = b";".join(sorted(covered)).decode()
    lines = b"".join(b"%b:%b\n" % (name, covered[name].strip().lower()) for name in sorted(covered))
    asked = "\n".join((out.method, "/", out.query.decode("latin-1"), lines.decode("latin-1"), names, out.digest))

    timestamp = str(int(at))
    date = datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/{_END}"
    text = "\n".join((_ALGORITHM, timestamp, scope, sha256(asked.encode("latin-1")).hexdigest()))

    key = f"TC3{credentials.secret}".encode()
    for step in (date, service, _END):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()

    said = f"{_ALGORITHM} Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    token: Headers = [(b"x-tc-token", credentials.token.encode())] if credentials.token else []
    return [(b"authorization", said.encode()), (b"x-tc-timestamp", timestamp.encode()), *token]
