"""What a run's row remembers about events is understood by the versions beside the one that wrote it."""

from engine.decider.unconfirmed import recall
from engine.model.command import Dispatch, WakeSoon


def test_a_command_that_only_a_newer_version_knows_leads_to_another_look_at_the_run():
    noted = [["event", 0, ["d3", "?7"]]]
    assert recall(noted, "event") == (Dispatch(3), WakeSoon())
    assert recall(noted, "another event") is None
