"""The budget of a document's templates: spent to the last of it, and exceeded with one error."""

import pytest

from flowspec.document.rendering.budget import Budget
from flowspec.document.rendering.template_errors import TemplateError


def test_all_of_it_may_be_spent_and_the_first_to_exceed_it_is_told():
    budget = Budget(steps=3)
    budget.step(3)
    told = []
    for _ in range(2):
        with pytest.raises(TemplateError, match="take too much work") as exceeded:
            budget.step()
        told.append(exceeded.value.id)
    assert told == ["FS324", ""]


def test_text_costs_characters_and_a_step_for_each_two_thousand():
    budget = Budget(steps=2, characters=5_999)
    budget.make(4_000)
    budget.make(1_999)
    with pytest.raises(TemplateError, match="make too much text"):
        budget.make(1)
    with pytest.raises(TemplateError, match="take too much work"):
        Budget(steps=1).make(4_000)
