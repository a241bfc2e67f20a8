"""What is wrong, said in one line to the person who can mend it."""


class InputError(Exception):
    """The input cannot be used; the message names the culprit and the likely fix."""


class OutputError(Exception):
    """What was said could not be shown; the work itself is done."""
