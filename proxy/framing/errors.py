"""What goes wrong while a body is cut into records."""


class FramingError(ValueError):
    """The body is not what its framing says, or a record is longer than the bound."""
