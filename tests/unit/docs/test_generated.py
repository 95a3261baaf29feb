"""What is generated into the pages is what the code says now."""

import re
from pathlib import Path

import pytest

from docs import draw_states, list_settings
from docs.markers import replaced
from engine.config import Settings, variable_of
from engine.model.status import TASK_TRANSITIONS, WORKFLOW_TRANSITIONS
from engine.store.words_index import STATEMENTS

ROOT = Path(__file__).parents[3]


def test_the_diagrams_of_states_are_those_of_the_tables() -> None:
    page = draw_states.PAGE.read_text()
    assert draw_states.drawn(page) == page, "run: python -m docs.draw_states"


def test_every_move_of_the_tables_is_an_arrow() -> None:
    page = draw_states.PAGE.read_text()
    arrows = set(re.findall(r"^    ([A-Z_]+) --> ([A-Z_]+)$", page, re.MULTILINE))
    moves = {
        (one.value, other.value)
        for table in (TASK_TRANSITIONS, WORKFLOW_TRANSITIONS)
        for one in table
        for other in table[one]
    }
    assert arrows == moves


def test_every_setting_is_listed_as_the_code_explains_it() -> None:
    page = list_settings.PAGE.read_text()
    assert list_settings.listed(page) == page, "run: python -m docs.list_settings"
    for field in Settings.__struct_fields__:
        assert f"| `{variable_of(field)}` |" in page


def test_the_settings_without_effect_are_those_that_no_code_reads() -> None:
    code = "\n".join(
        file.read_text()
        for room in ("engine", "workers", "deploy")
        for file in (ROOT / room).rglob("*.py")
        if file.name != "config.py"
    )
    unread = {variable_of(name) for name in Settings.__struct_fields__ if not re.search(rf"\.{name}\b|\b{name}=", code)}
    section = list_settings.PAGE.read_text().partition("## Without an effect in this version")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(BATON_\w+)`", section)) == unread


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- settings -->"):
        replaced("nothing", "settings", "text")


def test_a_page_that_has_a_generated_part_twice_is_refused() -> None:
    part = "<!-- settings --> text <!-- /settings -->"
    with pytest.raises(ValueError, match="2 times"):
        replaced(part + part, "settings", "text")


def test_the_page_of_performance_has_one_table_of_figures() -> None:
    page = (ROOT / "docs/performance.md").read_text()
    assert replaced(page, "figures", "text").count("| scenario |") == 0


def test_the_index_of_words_in_the_guide_is_the_one_that_searches_use() -> None:
    guide = " ".join((ROOT / "docs/guides/search.md").read_text().split())
    for statement in STATEMENTS:
        assert f"{statement};" in guide
