"""The errors of this room: a label, or a value for one, that cannot be used, or was not looked for."""


class LabelError(ValueError):
    """A label, a provider's code or an XMP packet breaks its rule; the message says which rule and where."""


class OversizeError(LabelError):
    """What may hold a label is over a bound, and was not looked into."""
