"""The AI-Disclosure response header (draft-abaris-aicdh-01): a dictionary of RFC 9651 section 3.2.

Law: the value parses as a structured field whatever the model is called. A member whose string cannot be written
(RFC 9651 section 3.3.3: printable ASCII only) is left out, not altered.
"""

MAX_STRING = 256


def ai_disclosure(model: str, provider: str, date: int) -> bytes:
    """The header's value for an answer that nobody reviewed.

    ``model`` and ``provider`` are the members of these names, ``date`` the time in seconds since 1970.
    """
    members = ["mode=machine-generated"]
    for name, value in (("model", model), ("provider", provider)):
        if value and len(value) <= MAX_STRING and value.isascii() and value.isprintable():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            members.append(f'{name}="{escaped}"')
    members.append(f"date=@{date}")
    return ", ".join(members).encode()
