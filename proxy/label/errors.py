"""The one error of this room: a label, or a value for one, that cannot be used."""


class LabelError(ValueError):
    """A label, a provider's code or an XMP packet breaks its rule; the message says which rule and where."""
