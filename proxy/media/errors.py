"""The one error of this room: a file that cannot be labelled as asked."""


class MediaError(ValueError):
    """A file is broken, cut short, over a bound, of a kind not supported, or too small for a badge."""
