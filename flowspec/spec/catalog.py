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
    "FS203": Kind(ERROR, "not exactly one master group or fleet"),
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
    "FS228": Kind(WARNING, "task instances without core instances"),
    "FS229": Kind(WARNING, "neither one master nor three"),
    "FS230": Kind(ERROR, "more than one task fleet"),
    "FS231": Kind(ERROR, "more than 48 task groups"),
    "FS232": Kind(WARNING, "applications or configurations with an AMI version"),
    "FS233": Kind(WARNING, "products of AMI versions with a release"),
    "FS234": Kind(WARNING, "more about an application than its name"),
    "FS235": Kind(WARNING, "a master that can be reclaimed"),
    "FS236": Kind(WARNING, "three masters without a subnet"),
    "FS237": Kind(ERROR, "a master fleet of more than one instance"),
    "FS239": Kind(WARNING, "a fleet without a target"),
    "FS240": Kind(ERROR, "a weight that EMR does not take"),
    "FS241": Kind(WARNING, "too many instance types in a fleet"),
    "FS242": Kind(WARNING, "an EBS volume beyond EMR's limits"),
    "FS243": Kind(WARNING, "a root volume beyond EMR's limits"),
    "FS244": Kind(ERROR, "a fleet's timeout out of range"),
    "FS245": Kind(WARNING, "a core group without an instance"),
    "FS246": Kind(WARNING, "a failed step is to end a protected cluster"),
    "FS247": Kind(WARNING, "a service role that needs a tag"),
    "FS248": Kind(WARNING, "something that needs a security configuration"),
    "FS249": Kind(WARNING, "steps side by side that end each other"),
    "FS250": Kind(ERROR, "a least that is above the most"),
    "FS251": Kind(ERROR, "units of scaling that do not fit the instances"),
    "FS252": Kind(WARNING, "an index of utilization that is not heeded"),
    "FS253": Kind(ERROR, "two scaling rules of one name"),
    "FS254": Kind(WARNING, "a period in which EMR has no metrics"),
    "FS255": Kind(WARNING, "auto-termination of applications it can't see"),
    "FS256": Kind(WARNING, "logs without a place"),
    "FS257": Kind(WARNING, "a placement group that EMR does not support"),
    "FS260": Kind(ERROR, "a step that is too long"),
    "FS261": Kind(WARNING, "a feature that the release does not have"),
    "FS262": Kind(WARNING, "a release that is not known"),
    "FS263": Kind(WARNING, "an application that is not known"),
    "FS264": Kind(WARNING, "an application that the release does not have"),
    "FS265": Kind(WARNING, "Presto and Trino together"),
    "FS266": Kind(WARNING, "half of the short form of instances"),
    "FS267": Kind(WARNING, "a bid price that is no amount of money"),
    "FS268": Kind(WARNING, "a role where an instance profile belongs, or the reverse"),
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
    "FS406": Kind(ERROR, "a secret in a file to be staged"),
    "FS501": Kind(ERROR, "a step that can't run on this backend"),
}


def severity(id: str) -> Severity:  # noqa: A002 - it is the word for it
    """The severity of `id`; of an id that is not in the table: ERROR."""
    return CATALOG[id].severity if id in CATALOG else ERROR
