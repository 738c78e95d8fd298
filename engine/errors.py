"""Every error a user may see: one line saying what, where and what to type next."""


class EcgStreamError(Exception):
    """A failure while running.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 2 for wrong use or unreadable input, 1 for a failure while running.
    """

    exit_code = 1


class UsageError(EcgStreamError):
    """The command or its options cannot be meant as they stand."""

    exit_code = 2


class SourceError(EcgStreamError):
    """The input cannot be read as an ECG."""

    exit_code = 2


class ModelError(EcgStreamError):
    """A model file is missing, damaged or not what its manifest says."""

    exit_code = 2


class SinkError(EcgStreamError):
    """A result could not be written while running."""
