"""A stranger's check of a proof: written from the specifications alone, with none of Countermark's code.

    python stranger.py PROOF PUBLIC-KEY

PUBLIC-KEY is the base64 of 32 bytes. Prints the record and ends with status 0, or ends with status 1. It follows
c2sp.org/tlog-proof, c2sp.org/tlog-checkpoint, c2sp.org/signed-note and RFC 9162, section 2.1.3.2.
"""

import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(proof: str, public: bytes) -> bytes:
    """The record that is proved. Anything that is wrong raises one exception or another."""
    head, _, note = proof.partition("\n\n")
    form, extra, index, *path = head.split("\n")
    assert form == "c2sp.org/tlog-proof@v1", "no proof"
    assert (extra[:6], index[:6]) == ("extra ", "index "), "no entry or no index"
    leaf = b64decode(extra[6:], validate=True)

    text, _, below = note.rpartition("\n\n")
    text += "\n"
    origin, size, root, end = text.split("\n")
    assert end == "", "no checkpoint"
    identity = sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    signed = False
    for line in below.removesuffix("\n").split("\n"):
        dash, name, signature = line.split(" ")
        raw = b64decode(signature, validate=True)
        if (dash, name, raw[:4]) == ("\u2014", origin, identity):
            Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], text.encode())
            signed = True
    assert signed, "not signed by this key"

    place, last = int(index[6:]), int(size) - 1
    assert 0 <= place <= last, "no such leaf"
    found = sha256(b"\x00" + leaf).digest()
    for step in path:
        sibling = b64decode(step, validate=True)
        assert last, "too long a path"
        if place % 2 or place == last:
            found = sha256(b"\x01" + sibling + found).digest()
            while place and place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            found = sha256(b"\x01" + found + sibling).digest()
        place, last = place // 2, last // 2
    assert last == 0, "too short a path"
    assert found == b64decode(root, validate=True), "another root"
    return leaf[16:]


if __name__ == "__main__":
    try:
        record = check(Path(sys.argv[1]).read_bytes().decode(), b64decode(sys.argv[2]))
    except (AssertionError, InvalidSignature, ValueError) as error:
        sys.exit(f"not proved: {error or type(error).__name__}")
    print(record.decode())
