import pytest

from flowspec.backend.local.fidelity import Truth
from flowspec.report.runs import truth_document, truth_line


def truth(**members):
    given = {"steps": {"streaming": 2, "spark": 1}, "instances": 3, "bootstrap_actions": 0, "bootstrap_ran": 0}
    return Truth(**{**given, "roles": False, "release": "emr-7.5.0", "versions": (), **members})


LINES = {
    "here: steps ran for real (streaming 2, spark 1); 3 instances simulated": truth(),
    "here: no step ran; 1 instance, 2 bootstrap actions and IAM roles simulated": truth(
        steps={}, instances=1, bootstrap_actions=2, roles=True
    ),
    "here: steps ran for real (command 1), 1 bootstrap action ran for real; 3 instances and 1 bootstrap action simulated": truth(
        steps={"command": 1}, bootstrap_actions=2, bootstrap_ran=1
    ),
    "here: steps ran for real (spark 1); 3 instances simulated; Spark 4.0.1 for emr-7.5.0's 3.5.2": truth(
        steps={"spark": 1}, versions=(("Spark", "3.5.2", "4.0.1"),)
    ),
}


@pytest.mark.parametrize(("line", "said"), list(LINES.items()), ids=range(len(LINES)))
def test_one_line_says_what_was_real(line, said):
    assert truth_line(said) == line


def test_the_truth_for_programs():
    document = truth_document(truth(versions=(("Spark", "3.5.2", "4.0.1"),)))
    assert document["steps"] == {"streaming": 2, "spark": 1}
    assert document["versions"] == [{"application": "Spark", "release": "3.5.2", "here": "4.0.1"}]
