"""A module of Airflow with EMR's operators -> a request; the module is parsed, never executed.

dag          the operators of the module -> the request
definitions  the module's names and functions whose values are certain
expressions  Python's expressions -> values, as far as they can be known without running anything
templates    Jinja in the operators' texts -> variables of the spec
"""
