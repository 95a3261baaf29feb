"""How many runs of a key go on at a time: a run under such a limit waits until it holds a slot (Conductor 1.1)."""

from __future__ import annotations

import msgspec

from engine.decider.context import evaluated
from engine.decider.draft import Draft
from engine.decider.walk import Walk
from engine.model.command import SeeToSlot
from engine.model.event import SlotNews
from engine.model.limit import terms_of_runs
from engine.model.payload import Json
from engine.model.status import Slot

#: The policies: by the second one a start is refused where the run would have to wait.
QUEUE, REJECT = POLICIES = ("QUEUE", "REJECT")


def admit(draft: Draft) -> None:
    """Have a run that begins, or begins again, wait for a slot of its key, if its definition limits how many go on."""
    config = draft.definition.rate_limit_config
    if config is not None and terms_of_runs(draft.definition).is_limited:
        draft.stand_in_line(_text(evaluated(draft, config.rate_limit_key)))
    elif draft.workflow.rate_limit_key is not None:
        draft.change_workflow(rate_limit_key=None)


def must_not_wait(draft: Draft) -> bool:
    """True for a new run that its definition would rather have refused than wait."""
    config, fresh = draft.definition.rate_limit_config, draft.loaded.version_no == 0
    return fresh and draft.workflow.slot is Slot.WAITING and config is not None and config.policy == REJECT


def slot_news(walk: Walk, news: SlotNews) -> bool:
    """The run has a slot of its key and goes on, or there may be one: ask again. False for what is out of date."""
    draft = walk.draft
    workflow = draft.workflow
    if workflow.slot is not Slot.WAITING or news.seq != -workflow.slot_no:
        return False
    if news.granted:
        draft.change_workflow(slot=Slot.HELD)
        walk.pick_up()
    else:
        draft.command(SeeToSlot(news.seq))
    return True


def _text(key: Json) -> str:
    """Return what an expression came to as a key; all runs in which it came to nothing have one in common."""
    if key is None:
        return ""
    return key if isinstance(key, str) else msgspec.json.encode(key).decode()
