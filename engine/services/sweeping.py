"""How often Python looks for garbage that holds itself (cycles): seldom, in processes that keep much alive."""

from __future__ import annotations

import gc
from typing import Final

#: Objects made, and not let go, after which the youngest are looked through; Python's own number is 700. A batch of
#: the road makes more than that at once and lets nearly all go without any cycle, so looking finds nothing; it took a
#: quarter of a decider's time. What is not found in the meantime are some megabytes at most.
_YOUNG: Final = 20_000

#: Looks at the youngest for each look at those that have survived one, and so on.
_MIDDLE, _OLD = 20, 50


def sweep_seldom() -> None:
    """Leave modules and settings out of it from now on, as they live as long as the process, and look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
