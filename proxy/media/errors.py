"""The errors of this room: a file that is no good, and a sound one that cannot carry a badge."""


class MediaError(ValueError):
    """A file is broken, cut short, over a bound, or of a kind that is not supported."""


class BadgeError(MediaError):
    """A sound file on which no badge can be drawn: too small for legible words, or in a form that nothing here decodes.

    Its metadata can be labelled all the same; whether that is enough is for policy to say.
    """
