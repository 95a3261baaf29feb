"""Which workers get a task: the domain that ``taskToDomain`` names for it (Conductor 4.9)."""

from __future__ import annotations

from engine.decider.draft import Draft
from engine.model.question import IsServed

#: A task domain that stands for "no domain".
_NO_DOMAIN = "NO_DOMAIN"


def domain_of(draft: Draft, name: str, queue: str) -> str | None:
    """Return the domain for a task of this name that without one would go to ``queue``.

    The task's own entry counts, else the one for all (``*``). Of several domains it is the first one that has workers,
    else the last; nobody has to be asked about a single one.
    """
    domains = draft.workflow.task_to_domain
    if not domains:
        return None
    listed = [part.strip() for part in str(domains.get(name) or domains.get("*") or "").split(",")]
    named = [domain for domain in listed if domain]
    if not named:
        return None
    found = named[-1]
    # All of them are asked about, also behind one that has workers: whatever the answers are, one round is enough.
    for domain in reversed(named[:-1]):
        if domain.upper() != _NO_DOMAIN and draft.ask(IsServed(f"{domain}:{queue}")):
            found = domain
    return None if found.upper() == _NO_DOMAIN else found
