"""Every mutation."""

from __future__ import annotations

from tests.simulation.mutations.flow import FLOW
from tests.simulation.mutations.limits import LIMITS
from tests.simulation.mutations.operators import OPERATORS
from tests.simulation.mutations.outside import OUTSIDE
from tests.simulation.mutations.road import ROAD

MUTATIONS = (*ROAD, *FLOW, *LIMITS, *OUTSIDE, *OPERATORS)
