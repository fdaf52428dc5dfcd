"""A module of Airflow with EMR's operators -> a request; the module is parsed, never executed.

dag          the operators of the module -> the request
aliases      the names that may hold a list or dict which the module changes
definitions  the module's names and functions whose values are certain
expressions  Python's expressions -> values, as far as they can be known without running anything
operations   what Python's operators and functions make of known values
templates    Jinja in the operators' texts -> variables of the spec
"""
