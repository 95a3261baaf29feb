"""Roman numerals, both ways, for 1 to 3999."""

NUMERALS = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def to_roman(number: int) -> str:
    """Return the numeral of ``number``; raises ``ValueError`` outside 1 to 3999."""
    if not 1 <= number <= 3999:
        raise ValueError(f"{number} has no Roman numeral")
    text = ""
    for value, letters in NUMERALS:
        count, number = divmod(number, value)
        text += letters * count
    return text


def from_roman(text: str) -> int:
    """Return the number that ``text`` stands for; raises ``ValueError`` unless it is written the canonical way."""
    rest, number = text, 0
    for value, letters in NUMERALS:
        while rest.startswith(letters):
            number += value
            rest = rest[len(letters) :]
    if rest or not number or number > 3999 or to_roman(number) != text:
        raise ValueError(f"{text!r} is not a Roman numeral")
    return number
