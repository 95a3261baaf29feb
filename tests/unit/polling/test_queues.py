"""How much waits in the queues of tasks, who polls them, and what is sent again."""

from __future__ import annotations

from typing import Any

from .conftest import Site
from .waiting import until


def get(site: Site, path: str, **query: Any) -> Any:
    answer = site.client.get(f"/api/tasks/queue/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_sizes_tell_how_many_tasks_wait_to_be_taken(site: Site) -> None:
    site.start()
    site.start()
    site.start(taskToDomain={site.kind: "blue"})
    assert get(site, "size", taskType=site.kind) == 2
    assert get(site, "size", taskType=site.kind, domain="blue") == 1
    assert get(site, "size", taskType="nobody's") == 0
    assert get(site, "sizes", taskType=[site.kind, "b"]) == {site.kind: 2, "b": 0}
    assert get(site, "sizes") == {}
    site.poll(wait_ms=5000)
    plain, blue = site.kind, f"blue:{site.kind}"
    assert get(site, "all").items() >= {plain: 1, blue: 1}.items()
    shown = get(site, "all/verbose")
    assert (shown[plain], shown[blue]) == ({"a": {"size": 1, "uacked": 1}}, {"a": {"size": 1, "uacked": 0}})


def test_queues_of_the_engine_are_nobodys_business(site: Site) -> None:
    answer = site.client.get("/api/tasks/queue/size", params={"taskType": "baton.start"})
    assert (answer.status_code, answer.json()["retryable"]) == (400, False)
    assert site.client.get("/api/tasks/queue/size").status_code == 400


def test_poll_data_tell_who_has_polled_last(site: Site) -> None:
    site.poll(workerid="w1")
    site.poll(workerid="w2", domain="blue")
    site.client.get("/api/tasks/poll/b")
    every = {(site.kind, None), (site.kind, "blue"), ("b", None)}
    until(lambda: {(each["queueName"], each.get("domain")) for each in get(site, "polldata/all")} >= every)
    found = get(site, "polldata", taskType=site.kind)
    assert [(each["queueName"], each.get("domain"), each["workerId"]) for each in found] == [
        (site.kind, None, "w1"),
        (site.kind, "blue", "w2"),
    ]
    assert all(each["lastPollTime"] > 1_700_000_000_000 for each in found)
    assert "workerId" not in get(site, "polldata", taskType="b")[0]


def test_what_the_broker_has_lost_is_sent_again_on_request(site: Site) -> None:
    ids = {site.start(), site.start()}
    assert site.client.post(f"/api/tasks/queue/requeue/{site.kind}").text == "0"
    site.hub.delete_queue(site.kind)
    assert site.client.post(f"/api/tasks/queue/requeue/{site.kind}").text == "2"
    came: set[str] = set()
    until(lambda: came.update(task["taskId"] for task in site.poll(count=2, wait_ms=5000)) or came == ids)
