"""A Price List API over HTTP that has some products of eu-west-1, in the form of AWS's own, and pages of two."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from tests.endpoints import Responding

REGION = "eu-west-1"
_NUMBERS = count(1)


def product(service, family, unit, usd, *, code="JRTCKXETXF", offers=1, **attributes):
    """A product with its price on demand, as GetProducts has it; `offers` 2: another one, for twice as much."""
    sku = f"{next(_NUMBERS):016X}"
    terms = {
        f"{sku}.{code}{number or ''}": {
            "priceDimensions": {
                f"{sku}.{code}{number or ''}.6YS6EN2CT7": {
                    "unit": unit,
                    "endRange": "Inf",
                    "description": f"${usd} per {unit}",
                    "appliesTo": [],
                    "rateCode": f"{sku}.{code}.6YS6EN2CT7",
                    "beginRange": "0",
                    "pricePerUnit": {"USD": f"{usd * (1 + number):.10f}"},
                }
            },
            "sku": sku,
            "effectiveDate": "2026-11-01T00:00:00Z",
            "offerTermCode": code,
            "termAttributes": {},
        }
        for number in range(offers)
    }
    common = {"regionCode": REGION, "location": "EU (Ireland)", "locationType": "AWS Region", "servicecode": service}
    return {
        "product": {"productFamily": family, "attributes": {**common, **attributes}, "sku": sku},
        "serviceCode": service,
        "terms": {"OnDemand": terms},
        "version": "20261120173413",
        "publicationDate": "2026-11-20T17:34:13Z",
    }


def ec2(kind, usd, **attributes):
    linux = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    more = {"usagetype": f"EU-BoxUsage:{kind}", "operation": "RunInstances", "licenseModel": "No License required"}
    return product("AmazonEC2", "Compute Instance", "Hrs", usd, instanceType=kind, **{**linux, **more, **attributes})


def emr(kind, usd, **attributes):
    given = {"softwareType": "EMR", "usagetype": f"EU-BoxUsage:{kind}", "operation": "", **attributes}
    return product("ElasticMapReduce", "Elastic Map Reduce Instance", "Hrs", usd, instanceType=kind, **given)


def ebs(family, usage, unit, usd):
    return product("AmazonEC2", family, unit, usd, usagetype=f"EU-EBS:{usage}")


def products():
    """Those that are wanted, and their neighbours in the price list that are not."""
    return [
        ec2("m5.xlarge", 0.214),
        ec2("m5.xlarge", 0.398, operatingSystem="Windows"),
        ec2("m5.xlarge", 0.2354, tenancy="Dedicated"),
        ec2("m5.xlarge", 0.694, preInstalledSw="SQL Web"),
        ec2("m5.xlarge", 0.0, capacitystatus="AllocatedCapacityReservation"),
        ec2("m5.xlarge", 0.192, regionCode="us-east-1"),
        ec2("m7g.xlarge", 0.1822),
        ec2("t3.micro", 0.0114),
        ec2("m9x.xlarge", 0.5, offers=2),
        emr("m5.xlarge", 0.048),
        emr("m5.xlarge", 0.1, softwareType="Hunk"),
        emr("m5.xlarge", 0.06, locationType="AWS Outposts"),
        emr("m7g.xlarge", 0.04555),
        emr("m9x.xlarge", 0.125),
        emr("r9x.xlarge", 0.2),
        ebs("Storage", "VolumeUsage.gp2", "GB-Mo", 0.11),
        ebs("Storage", "VolumeUsage.gp3", "GB-Mo", 0.088),
        ebs("Storage", "VolumeUsage.piops", "GB-Mo", 0.138),
        ebs("Storage", "VolumeUsage", "GB-Mo", 0.055),
        ebs("Storage", "VolumeUsage.io2", "GB-month", 0.138),
        ebs("System Operation", "VolumeP-IOPS.gp3", "IOPS-Mo", 0.0055),
        ebs("System Operation", "VolumeP-IOPS.piops", "IOPS-Mo", 0.072),
        ebs("System Operation", "VolumeIOUsage", "IOs", 0.000000055),
        ebs("Provisioned Throughput", "VolumeP-Throughput.gp3", "GiBps-mo", 45.056),
    ]


class PriceList(ThreadingHTTPServer):
    """`questions` are the calls that came; `fault` is answered instead: a status and an error's code, or a product."""

    daemon_threads = True

    def __init__(self):
        self.questions, self.fault, self.products = [], None, products()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, question):
        if isinstance(self.fault, str):
            return {"FormatVersion": "aws_v1", "PriceList": [self.fault]}
        wanted = {one["Field"]: one["Value"] for one in question["Filters"]}
        assert {one["Type"] for one in question["Filters"]} == {"TERM_MATCH"}
        found = [one for one in self.products if one["serviceCode"] == question["ServiceCode"] and _fits(one, wanted)]
        start = int(question.get("NextToken", 0))
        more = {"NextToken": str(start + 2)} if len(found) > start + 2 else {}
        return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one) for one in found[start : start + 2]], **more}


def _fits(one, wanted):
    attributes = {"productFamily": one["product"]["productFamily"], **one["product"]["attributes"]}
    return all(attributes.get(name) == value for name, value in wanted.items())


class _Handler(Responding, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.questions.append((self.headers["X-Amz-Target"], self.headers["Authorization"], question))
        status, answer = 200, None
        if isinstance(self.server.fault, tuple):
            status, code, message = self.server.fault
            answer = {"__type": f"com.amazonaws.pricing#{code}", "Message": message}
        self.respond(json.dumps(answer or self.server.answer(question)).encode(), status)
