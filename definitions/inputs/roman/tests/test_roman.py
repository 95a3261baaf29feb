"""What roman promises."""

import unittest

from roman import from_roman, to_roman


class Numerals(unittest.TestCase):
    """Every number there and back, the well-known ones by name."""

    def test_known_numerals(self) -> None:
        """Years as they stand on buildings."""
        for number, text in ((1, "I"), (4, "IV"), (1666, "MDCLXVI"), (1994, "MCMXCIV"), (2024, "MMXXIV")):
            self.assertEqual(to_roman(number), text)

    def test_every_number_there_and_back(self) -> None:
        """No number is lost on the way."""
        for number in range(1, 4000):
            self.assertEqual(from_roman(to_roman(number)), number)

    def test_numbers_without_numeral_are_refused(self) -> None:
        """Romans had neither nothing nor ten thousands."""
        for number in (0, -1, 4000):
            with self.assertRaises(ValueError):
                to_roman(number)

    def test_careless_spellings_are_refused(self) -> None:
        """Four is IV, not IIII."""
        for text in ("IIII", "VX", "IC", "", "ABC", "MMMM"):
            with self.assertRaises(ValueError):
                from_roman(text)
