"""Sharing out partitions: which of them an owner may hold, given who else is alive; no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping


def fair_share(owner: str, living: Collection[str], held: Mapping[int, str], partitions: int) -> tuple[int, ...]:
    """Return the partitions (0 to ``partitions`` - 1) that ``owner`` may hold from now on, in order.

    ``living`` are all owners that are alive, ``owner`` among them; ``held`` says who holds which partition. Shares
    differ by one at most. An owner keeps what it holds up to its share, gives up what is beyond it, and fills a
    share that is not full from what no living owner holds. Where partitions do not divide evenly, those who hold
    more already get the larger shares, so that little moves.
    """
    living = {*living, owner}
    kept = {number: holder for number, holder in held.items() if holder in living and 0 <= number < partitions}
    counts = Counter(kept.values())
    ranked = sorted(living, key=lambda each: (-counts[each], each))
    share, extra = divmod(partitions, len(ranked))
    quota = share + (1 if ranked.index(owner) < extra else 0)
    mine = sorted(number for number, holder in kept.items() if holder == owner)[:quota]
    free = (number for number in range(partitions) if number not in kept)
    for number in free:
        if len(mine) >= quota:
            break
        mine.append(number)
    return tuple(sorted(mine))
