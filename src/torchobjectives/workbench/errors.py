"""What is wrong with the input, said in one line to the person who gave it."""


class InputError(Exception):
    """The input cannot be used; the message names the culprit and the likely fix."""
