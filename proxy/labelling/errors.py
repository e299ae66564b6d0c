"""Why an answer could not be labelled. What happens then is decided in ``guard.py`` and nowhere else."""


class LabellingError(Exception):
    """The answer could not be labelled; the message is a sentence without content, fit for records and clients."""


class NothingFound(LabellingError):
    """A claimed answer holds nothing that its dialect knows."""


class Swollen(Exception):
    """Coded content decodes to more than there may be of it."""


class CodingError(Exception):
    """The content coding of a message is corrupt: no policy can let such bytes pass as an answer."""


class Blocked(Exception):
    """Labelling failed and policy says that the answer must not leave."""
