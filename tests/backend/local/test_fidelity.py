import pytest

from flowspec.backend.local.fidelity import LocalFidelity
from flowspec.report.runs import fidelity_document, fidelity_line


def fidelity(**members):
    given = {"steps": {"streaming": 2, "spark": 1}, "instances": 3, "bootstrap_actions": 0, "bootstrap_ran": 0}
    return LocalFidelity(**{**given, "roles": False, "release": "emr-7.5.0", "versions": (), **members})


LINES = {
    "local run: steps executed (streaming 2, spark 1); 3 instances simulated": fidelity(),
    "local run: no step executed; 1 instance, 2 bootstrap actions and IAM roles simulated": fidelity(
        steps={}, instances=1, bootstrap_actions=2, roles=True
    ),
    "local run: steps executed (command 1), 1 bootstrap action executed; 3 instances and 1 bootstrap action simulated": fidelity(
        steps={"command": 1}, bootstrap_actions=2, bootstrap_ran=1
    ),
    "local run: steps executed (spark 1); 3 instances simulated; Spark 4.0.1 for emr-7.5.0's 3.5.2": fidelity(
        steps={"spark": 1}, versions=(("Spark", "3.5.2", "4.0.1"),)
    ),
}


@pytest.mark.parametrize(("line", "said"), list(LINES.items()), ids=range(len(LINES)))
def test_one_line_says_what_was_real(line, said):
    assert fidelity_line(said) == line


def test_the_fidelity_for_programs():
    document = fidelity_document(fidelity(versions=(("Spark", "3.5.2", "4.0.1"),)))
    assert document["steps"] == {"streaming": 2, "spark": 1}
    assert document["versions"] == [{"application": "Spark", "release": "3.5.2", "local": "4.0.1"}]
