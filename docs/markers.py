"""Puts generated text into a page, between two comments that no reader sees."""

from __future__ import annotations


def replaced(page: str, name: str, text: str) -> str:
    """Return ``page`` with ``text`` between its markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: the page has not got both markers once, in this order.
    """
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    if page.count(closing) > 1:
        raise ValueError(
            f"The page has {closing} {page.count(closing)} times: what stands before the last one is doubled."
        )
    before, opened, rest = page.partition(opening)
    _, closed, after = rest.partition(closing)
    if not opened or not closed:
        raise ValueError(f"The page has no {opening} followed by {closing}: put both where the generated part belongs.")
    return f"{before}{opening}\n\n{text.strip()}\n\n{closing}{after}"
