"""Tests of flows: a case runs a spec on sample data, on an embedded EMR of its own, and compares what came out.

discovery    paths on the command line -> the case.yaml files there, and which of them a change touches
case         case.yaml -> Case, checked against schemas/flowspec-case-v1.schema.json
sandbox      Case -> the job flow as it is to run in the case's home: sample data put in place, inputs checked
execution    a job flow and a home -> how the run ended
comparison   expected and actual output -> the first differences; writes the expected output for `--update`
running      all of it for many cases at once -> CaseResult;
             the last results are kept for `--last-failed` (`last_failed`)
"""
