"""Every mutation."""

from __future__ import annotations

from tests.simulation.mutations.flow import FLOW
from tests.simulation.mutations.kinds import KINDS
from tests.simulation.mutations.limits import LIMITS
from tests.simulation.mutations.operators import OPERATORS
from tests.simulation.mutations.outside import OUTSIDE
from tests.simulation.mutations.road import ROAD
from tests.simulation.mutations.schedules import SCHEDULES

MUTATIONS = (*ROAD, *FLOW, *LIMITS, *OUTSIDE, *SCHEDULES, *OPERATORS, *KINDS)
