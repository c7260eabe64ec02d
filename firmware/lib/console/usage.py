"""What a command raises when it was typed wrongly."""


class UsageError(Exception):
    """The arguments do not fit the command; the console answers with its usage."""
