"""A seal on a label, so that we know our own again (GB 45438 Appendix E f: ReservedCode1).

Law: whoever lacks the key can neither make a seal nor change what it covers: Label, ContentProducer and ProduceID, in
the message form of practice guide TC260-PG-202511A Appendix A.1. It proves origin to the key's holder only; for
everybody else it is an opaque value, as the example in GB 45438 F.4 is.
"""

from hashlib import blake2b
from hmac import compare_digest
from json.encoder import encode_basestring_ascii as _quoted


def seal(key: bytes, producer: str, produce_id: str, label: str) -> str:
    """The seal as 40 lower-case hexadecimal digits: keyed BLAKE2b (RFC 7693), ``key`` at most 64 bytes."""
    message = f'"Label":{_quoted(label)},"ContentProducer":{_quoted(producer)},"ProduceID":{_quoted(produce_id)}'
    return blake2b(message.encode(), key=key, digest_size=20, person=b"countermark-seal").hexdigest()


def verify(key: bytes, producer: str, produce_id: str, label: str, found: str) -> bool:
    """Whether ``found`` is the seal on these values; takes the same time whatever it holds."""
    return compare_digest(seal(key, producer, produce_id, label).encode(), found.encode(errors="replace"))
