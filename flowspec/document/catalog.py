"""The table of all diagnostics: a stable id, a severity and a title for each.

The hundreds tell the stage: 0 text and YAML, 1 schema, 2 rules across fields, 3 variables, targets and
templates, 4 files and assets, 5 what a backend can't do, 6 an organisation's policy,
7 a request to import, 8 a case of `flowspec test`.
"""

from __future__ import annotations

from typing import NamedTuple

from flowspec.errors import Severity
from flowspec.facts.rules import refused_by_id

ERROR, WARNING = Severity.ERROR, Severity.WARNING


class Kind(NamedTuple):
    """The severity of an id, and a title without any value of the user's."""

    severity: Severity
    title: str


_REFUSED = refused_by_id()


def _of_emr(rule_id: str, title: str) -> Kind:
    """The kind of a rule of EMR: an error where EMR is known to refuse, else a warning."""
    return Kind(ERROR if _REFUSED[rule_id] else WARNING, title)


CATALOG: dict[str, Kind] = {
    "FS001": Kind(ERROR, "the file can't be read"),
    "FS002": Kind(ERROR, "the file is not UTF-8 text"),
    "FS003": Kind(ERROR, "the file is not YAML"),
    "FS004": Kind(ERROR, "the file is empty"),
    "FS005": Kind(ERROR, "a job flow is a mapping"),
    "FS006": Kind(ERROR, "a key is given twice"),
    "FS007": Kind(ERROR, "an unknown YAML tag"),
    "FS008": Kind(ERROR, "a template without quotes"),
    "FS009": Kind(ERROR, "too many alias expansions"),
    "FS010": Kind(ERROR, "the file is too large or too deep"),
    "FS011": Kind(ERROR, "a key is not a plain word"),
    "FS012": Kind(ERROR, "more than one document in the file"),
    "FS013": Kind(ERROR, "an alias without its anchor"),
    "FS014": Kind(ERROR, "a merge key"),
    "FS015": Kind(ERROR, "another version of flowspec is required"),
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
    "FS201": _of_emr("FS201", "instance groups and instance fleets together"),
    "FS202": _of_emr("FS202", "the short form of instances beside groups or fleets"),
    "FS203": _of_emr("FS203", "not exactly one master group or fleet"),
    "FS204": _of_emr("FS204", "a bid price for on-demand instances"),
    "FS205": _of_emr("FS205", "more than one core group or fleet"),
    "FS206": _of_emr("FS206", "release_label and ami_version together"),
    "FS207": _of_emr("FS207", "more than one way to choose the network"),
    "FS208": _of_emr("FS208", "more than 256 steps"),
    "FS209": _of_emr("FS209", "more than 16 bootstrap actions"),
    "FS210": _of_emr("FS210", "tags that AWS refuses"),
    "FS211": Kind(ERROR, "tags that are flowspec's own"),
    "FS212": _of_emr("FS212", "a name with a character that EMR refuses"),
    "FS213": Kind(ERROR, "generic Hadoop options after streaming options"),
    "FS214": _of_emr("FS214", "a Hadoop version beside a release label"),
    "FS215": _of_emr("FS215", "a bid price given twice"),
    "FS216": _of_emr("FS216", "a custom AMI for the cluster and for a group"),
    "FS217": _of_emr("FS217", "repo_upgrade_on_boot without a custom AMI"),
    "FS218": _of_emr("FS218", "one managed security group without the other"),
    "FS219": _of_emr("FS219", "automatic scaling of the master"),
    "FS220": _of_emr("FS220", "automatic scaling without its role"),
    "FS221": _of_emr("FS221", "two ways of scaling"),
    "FS222": _of_emr("FS222", "a cluster that runs without end"),
    "FS223": _of_emr("FS223", "several subnets without fleets"),
    "FS224": _of_emr("FS224", "no instances"),
    "FS225": _of_emr("FS225", "no release"),
    "FS226": _of_emr("FS226", "a release label that does not exist"),
    "FS227": Kind(ERROR, "debugging without a log_uri"),
    "FS228": _of_emr("FS228", "task instances without core instances"),
    "FS229": _of_emr("FS229", "neither one master nor three"),
    "FS230": _of_emr("FS230", "more than one task fleet"),
    "FS231": _of_emr("FS231", "more than 48 task groups"),
    "FS232": _of_emr("FS232", "applications or configurations with an AMI version"),
    "FS233": _of_emr("FS233", "products of AMI versions with a release"),
    "FS234": _of_emr("FS234", "application settings without effect"),
    "FS235": _of_emr("FS235", "a master that can be reclaimed"),
    "FS236": _of_emr("FS236", "three masters without a subnet"),
    "FS237": _of_emr("FS237", "a master fleet of more than one instance"),
    "FS239": _of_emr("FS239", "a fleet without a target"),
    "FS240": _of_emr("FS240", "a weight that EMR does not take"),
    "FS241": _of_emr("FS241", "too many instance types in a fleet"),
    "FS242": _of_emr("FS242", "EBS volume outside EMR's limits"),
    "FS243": _of_emr("FS243", "root volume outside EMR's limits"),
    "FS244": _of_emr("FS244", "fleet timeout out of range"),
    "FS245": _of_emr("FS245", "a core group without an instance"),
    "FS246": _of_emr("FS246", "a protected cluster that a failed step is to terminate"),
    "FS247": _of_emr("FS247", "a service role that needs a tag"),
    "FS248": _of_emr("FS248", "something that needs a security configuration"),
    "FS249": _of_emr("FS249", "concurrent steps with an action on failure other than CONTINUE"),
    "FS250": _of_emr("FS250", "minimum greater than maximum"),
    "FS251": _of_emr("FS251", "scaling unit does not match the instances"),
    "FS252": _of_emr("FS252", "utilization index has no effect"),
    "FS253": _of_emr("FS253", "duplicate name of a scaling rule"),
    "FS254": _of_emr("FS254", "a period in which EMR reports no metrics"),
    "FS255": _of_emr("FS255", "auto-termination with applications whose work it does not see"),
    "FS256": _of_emr("FS256", "log settings without log_uri"),
    "FS257": _of_emr("FS257", "unsupported placement group"),
    "FS260": _of_emr("FS260", "step too long"),
    "FS261": _of_emr("FS261", "feature not in the release"),
    "FS262": _of_emr("FS262", "unknown release"),
    "FS263": _of_emr("FS263", "unknown application"),
    "FS264": _of_emr("FS264", "application not in the release"),
    "FS265": _of_emr("FS265", "Presto and Trino together"),
    "FS266": _of_emr("FS266", "no instance type for the workers"),
    "FS267": _of_emr("FS267", "bid price is not an amount of money"),
    "FS268": _of_emr("FS268", "role and instance profile confused"),
    "FS269": _of_emr("FS269", "invalid number or size of EBS volumes"),
    "FS270": _of_emr("FS270", "scaling minimum too small"),
    "FS271": _of_emr("FS271", "feature that EMR refuses for the release"),
    "FS272": _of_emr("FS272", "log_uri is not an S3 URI"),
    "FS273": Kind(WARNING, "S3 URI inside an S3 URI"),
    "FS274": _of_emr("FS274", "no service role or instance profile"),
    "FS275": _of_emr("FS275", "unknown instance type"),
    "FS276": Kind(WARNING, "api_params make a request that EMR refuses"),
    "FS277": _of_emr("FS277", "too many instances in a group"),
    "FS278": _of_emr("FS278", "duplicate instance type in a fleet"),
    "FS279": _of_emr("FS279", "number outside EMR's limits"),
    "FS280": _of_emr("FS280", "log_uri is a path"),
    "FS290": Kind(WARNING, "a script that a command names is not shipped"),
    "FS295": Kind(ERROR, "a step reads what only a later step writes"),
    "FS301": Kind(ERROR, "an unknown target"),
    "FS302": Kind(ERROR, "a variable without a value"),
    "FS303": Kind(ERROR, "a variable's value is of the wrong type"),
    "FS304": Kind(ERROR, "a variable's value is not allowed"),
    "FS305": Kind(ERROR, "a value for a variable that is not declared"),
    "FS306": Kind(WARNING, "a variable file with a name that is not declared"),
    "FS307": Kind(WARNING, "a variable that nothing uses"),
    "FS308": Kind(ERROR, "a variable's name can't be used"),
    "FS309": Kind(ERROR, "variables refer to each other in a circle"),
    "FS310": Kind(ERROR, "a variable file that can't be read"),
    "FS311": Kind(ERROR, "more than one default target"),
    "FS312": Kind(ERROR, "override matches more than one item"),
    "FS313": Kind(ERROR, "override matches no item"),
    "FS314": Kind(ERROR, "a base file that can't be used"),
    "FS315": Kind(ERROR, "a file extends itself"),
    "FS316": Kind(ERROR, "a pattern that can't be used"),
    "FS317": Kind(ERROR, "a credential of the environment in a variable that is not sensitive"),
    "FS320": Kind(ERROR, "a template that can't be parsed"),
    "FS321": Kind(ERROR, "an undefined name"),
    "FS322": Kind(ERROR, "operation not allowed in templates"),
    "FS323": Kind(ERROR, "a template that can't be evaluated"),
    "FS324": Kind(ERROR, "template exceeds its size limit"),
    "FS325": Kind(ERROR, "condition is neither true nor false"),
    "FS326": Kind(ERROR, "loop over something other than a list"),
    "FS401": Kind(ERROR, "a file that does not exist"),
    "FS402": Kind(ERROR, "not a regular file"),
    "FS403": Kind(ERROR, "a file that can't be read"),
    "FS404": Kind(ERROR, "no S3 location for staging local files"),
    "FS405": Kind(ERROR, "a file name that Hadoop can't ship"),
    "FS406": Kind(ERROR, "a secret in a file to be staged"),
    "FS407": Kind(ERROR, "a file outside of the spec's folder tree"),
    "FS501": Kind(ERROR, "a step that can't run on this backend"),
    "FS502": Kind(WARNING, "a change that replaces a running cluster"),
    "FS601": Kind(ERROR, "violates a policy"),
    "FS602": Kind(ERROR, "invalid policy"),
    "FS603": Kind(ERROR, "invalid settings"),
    "FS611": Kind(WARNING, "no logs are kept"),
    "FS612": Kind(WARNING, "no security configuration"),
    "FS613": Kind(WARNING, "no subnet is named"),
    "FS614": Kind(WARNING, "a secret in plain text"),
    "FS615": Kind(WARNING, "a release without security updates"),
    "FS620": Kind(ERROR, "costs more than the budget"),
    "FS701": Kind(ERROR, "not a RunJobFlow request"),
    "FS702": Kind(ERROR, "RunJobFlow request invalid in EMR's API"),
    "FS703": Kind(ERROR, "source can't be imported"),
    "FS801": Kind(ERROR, "an input that the case does not provide"),
    "FS802": Kind(ERROR, "a file of a case that can't be used"),
    "FS803": Kind(ERROR, "a place outside of a case's home"),
    "FS804": Kind(ERROR, "a case without a spec"),
}


def severity(id: str) -> Severity:  # noqa: A002 - it is the word for it
    """The severity of `id`; of an id that is not in the table: ERROR."""
    return CATALOG[id].severity if id in CATALOG else ERROR
