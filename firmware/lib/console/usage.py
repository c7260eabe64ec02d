"""What a command raises when it is not carried out."""


class UsageError(Exception):
    """The arguments do not fit the command; the console answers with its usage."""


class Refusal(Exception):
    """The command can not be carried out, now or so; the text is a sentence that says why."""
