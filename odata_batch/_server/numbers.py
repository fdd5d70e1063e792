"""Numbers of JSON: exact, and as they are spelt. It is loaded when there is one.

`decimal` takes as long to import as all the rest.
"""

from decimal import Decimal


class Number(Decimal):
    """A number that is written as it was read."""

    spelling: str

    @classmethod
    def spelt(cls, text: str) -> "Number":
        """Return the number that a text spells."""
        number = cls(text)
        number.spelling = text
        return number
