"""Any request that the model allows is answered as the model has it, or refused: nothing falls over."""

from __future__ import annotations

import random
from collections import Counter

import botocore.session
import pytest

from flowspec.emulator.api.service import OPERATIONS, EmrError
from flowspec.emulator.state.store import Store
from tests.emulator.conftest import CORE, MASTER, bash
from tests.emulator.test_answers import deviations
from tests.emulator.test_instances import FLEETS, TASK

MODEL = botocore.session.get_session().get_service_model("emr")

# What a string is likely to be, by the name of its member.
KINDS = {
    "ClusterId": "cluster",
    "JobFlowId": "cluster",
    "JobFlowIds": "cluster",
    "ResourceId": "cluster",
    "InstanceGroupId": "group",
    "InstanceFleetId": "fleet",
    "StepId": "step",
    "StepIds": "step",
}
LABELS = ["emr-7.5.0", "emr-5.36.0", "emr-5.0.0", "x"]
TYPES = ["m5.xlarge", "m5.2xlarge", "x", ""]
WORDS = ["", "a", "s3://b/k", "{}", "é", "x" * 300]
NUMBERS = [0, 1, 2, 3, 5, 60, -1, 100, 2**31 - 1]


class Requests:
    """Draws requests; `there` holds the ids of what there is, by kind."""

    def __init__(self, seed: int, there: dict[str, list[str]]) -> None:
        self.random = random.Random(seed)
        self._there = there

    def draw(self, shape, name="", depth=0):
        draw_one = getattr(self, f"_{shape.type_name}")
        return draw_one(shape, name, depth + 1)

    def _structure(self, shape, _, depth):
        chance = 0.35 if depth < 5 else 0.1
        return {
            name: self.draw(member, name, depth)
            for name, member in shape.members.items()
            if name in shape.required_members or self.random.random() < chance
        }

    def _list(self, shape, name, depth):
        return [self.draw(shape.member, name, depth) for _ in range(self.random.choice([0, 1, 1, 2]))]

    def _map(self, shape, name, depth):
        return {self.draw(shape.key): self.draw(shape.value, name, depth) for _ in range(self.random.choice([0, 1]))}

    def _string(self, shape, name, _):
        found = self._there.get(KINDS.get(name, ""), [])[-4:]
        named = LABELS if name == "ReleaseLabel" else TYPES if name.endswith("InstanceType") else WORDS
        return self.random.choice(shape.enum or found or named)

    def _integer(self, *_):
        return self.random.choice(NUMBERS)

    def _long(self, *_):
        return self.random.choice(NUMBERS)

    def _double(self, *_):
        return self.random.choice([0.0, 1.5, -1.0])

    def _boolean(self, *_):
        return self.random.random() < 0.5

    def _timestamp(self, *_):
        return self.random.choice([0.0, 1.7e9, 4e9])


def there_is(emr):
    """A running cluster with groups and one with fleets; the ids of all that there is."""
    for wanted in ({"groups": [MASTER, CORE, TASK]}, {"groups": [], "instances": {"InstanceFleets": FLEETS}}):
        emr.put_in_state(emr.run(bash("true"), keep_alive=True, **wanted), "RUNNING")
    with Store(emr.home) as store:
        return {kind: [found.id for found in store.find(kind)] for kind in set(KINDS.values())}


@pytest.mark.parametrize("seed", range(2))
def test_any_request_is_answered_or_refused(still, seed):
    there: dict[str, list[str]] = {}
    requests, seen = Requests(seed, there), Counter()
    for number in range(300):
        if number % 100 == 0:
            there.update(there_is(still))
        operation = requests.random.choice(sorted(OPERATIONS))
        model = MODEL.operation_model(operation)
        params = requests.draw(model.input_shape) if model.input_shape else {}
        try:
            answer = still.service.call(operation, params)
        except EmrError as error:
            seen[error.code] += 1
        else:
            seen["answered"] += 1
            assert model.output_shape is None or list(deviations(model.output_shape, answer, operation)) == []
    assert min(seen["answered"], seen["ValidationException"], seen["InvalidRequestException"]) > 10, seen
