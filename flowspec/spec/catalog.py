"""Every finding about a document has a stable id. This is the one table of them.

The hundreds tell the stage: 0 text and YAML, 1 schema, 2 rules across fields, 3 variables, targets and
templates, 4 files and assets, 5 what a backend can't do.
"""

from __future__ import annotations

from typing import NamedTuple

from flowspec.errors import Severity

ERROR, WARNING = Severity.ERROR, Severity.WARNING


class Kind(NamedTuple):
    """What an id stands for: how bad it is, and a title without any value of the user's."""

    severity: Severity
    title: str


CATALOG: dict[str, Kind] = {
    "FS001": Kind(ERROR, "the file can't be read"),
    "FS002": Kind(ERROR, "the file is not UTF-8 text"),
    "FS003": Kind(ERROR, "the file is not YAML"),
    "FS004": Kind(ERROR, "the file is empty"),
    "FS005": Kind(ERROR, "a job flow is a mapping"),
    "FS006": Kind(ERROR, "a key is given twice"),
    "FS007": Kind(ERROR, "an unknown YAML tag"),
    "FS008": Kind(ERROR, "a template without quotes"),
    "FS009": Kind(ERROR, "aliases that expand without measure"),
    "FS010": Kind(ERROR, "the file is too large or too deep"),
    "FS011": Kind(ERROR, "a key is not a plain word"),
    "FS012": Kind(ERROR, "more than one document in the file"),
    "FS013": Kind(ERROR, "an alias without its anchor"),
    "FS014": Kind(ERROR, "a merge key"),
    "FS100": Kind(ERROR, "not allowed by the schema"),
    "FS101": Kind(ERROR, "an unknown key"),
    "FS102": Kind(ERROR, "a key is missing"),
    "FS103": Kind(ERROR, "a value of the wrong type"),
    "FS104": Kind(ERROR, "a value that is not one of those allowed"),
    "FS105": Kind(ERROR, "a value of the wrong form"),
    "FS106": Kind(ERROR, "a number out of range"),
    "FS107": Kind(ERROR, "too long, too short, too many or too few"),
    "FS108": Kind(ERROR, "the same item twice"),
    "FS109": Kind(ERROR, "api_params that the EMR API does not know"),
    "FS201": Kind(ERROR, "instance groups and instance fleets together"),
    "FS202": Kind(ERROR, "the short form of instances beside groups or fleets"),
    "FS203": Kind(ERROR, "not exactly one master of one or three nodes"),
    "FS204": Kind(WARNING, "a bid price for on-demand instances"),
    "FS205": Kind(ERROR, "more than one core group or fleet"),
    "FS206": Kind(ERROR, "release_label and ami_version together"),
    "FS207": Kind(ERROR, "more than one way to choose the network"),
    "FS208": Kind(ERROR, "more than 256 steps"),
    "FS209": Kind(ERROR, "more than 16 bootstrap actions"),
    "FS210": Kind(ERROR, "tags that AWS refuses"),
    "FS211": Kind(ERROR, "tags that are flowspec's own"),
    "FS212": Kind(ERROR, "a name with a character that EMR refuses"),
    "FS213": Kind(ERROR, "generic Hadoop options behind streaming options"),
    "FS214": Kind(WARNING, "a Hadoop version beside a release label"),
    "FS215": Kind(ERROR, "a bid price given twice"),
    "FS216": Kind(ERROR, "a custom AMI for the cluster and for a group"),
    "FS217": Kind(ERROR, "repo_upgrade_on_boot without a custom AMI"),
    "FS218": Kind(ERROR, "one managed security group without the other"),
    "FS219": Kind(ERROR, "automatic scaling of the master"),
    "FS220": Kind(WARNING, "automatic scaling without its role"),
    "FS221": Kind(WARNING, "two ways of scaling"),
    "FS222": Kind(WARNING, "a cluster that idles for ever"),
    "FS223": Kind(WARNING, "several subnets without fleets"),
    "FS224": Kind(WARNING, "no instances"),
    "FS225": Kind(WARNING, "no release"),
    "FS226": Kind(WARNING, "an odd release label"),
    "FS227": Kind(ERROR, "debugging without a log_uri"),
    "FS228": Kind(ERROR, "task instances without core instances"),
    "FS301": Kind(ERROR, "an unknown target"),
    "FS302": Kind(ERROR, "a variable without a value"),
    "FS303": Kind(ERROR, "a variable's value is of the wrong type"),
    "FS304": Kind(ERROR, "a variable's value is not allowed"),
    "FS305": Kind(ERROR, "a value for a variable that is not declared"),
    "FS306": Kind(WARNING, "a variable file with a name that is not declared"),
    "FS307": Kind(WARNING, "a variable that nothing uses"),
    "FS308": Kind(ERROR, "a variable's name can't be used"),
    "FS309": Kind(ERROR, "variables that need each other"),
    "FS310": Kind(ERROR, "a variable file that can't be read"),
    "FS311": Kind(ERROR, "more than one default target"),
    "FS312": Kind(ERROR, "an override that fits more than one item"),
    "FS313": Kind(ERROR, "an override of an item that is not there"),
    "FS314": Kind(ERROR, "a base file that can't be used"),
    "FS315": Kind(ERROR, "a file that extends itself"),
    "FS320": Kind(ERROR, "a template that can't be parsed"),
    "FS321": Kind(ERROR, "an undefined name"),
    "FS322": Kind(ERROR, "something that templates may not do"),
    "FS323": Kind(ERROR, "a template that can't be evaluated"),
    "FS324": Kind(ERROR, "a template that grows without measure"),
    "FS325": Kind(ERROR, "a condition that is neither true nor false"),
    "FS326": Kind(ERROR, "a loop over something that is no list"),
    "FS401": Kind(ERROR, "a file that does not exist"),
    "FS402": Kind(ERROR, "not a regular file"),
    "FS403": Kind(ERROR, "a file that can't be read"),
    "FS404": Kind(ERROR, "no place to stage local files"),
    "FS405": Kind(ERROR, "a file name that Hadoop can't ship"),
    "FS501": Kind(ERROR, "a step that can't run on this backend"),
}


def severity(id: str) -> Severity:  # noqa: A002 - it is the word for it
    """The severity of `id`; of an id that is not in the table: ERROR."""
    return CATALOG[id].severity if id in CATALOG else ERROR
