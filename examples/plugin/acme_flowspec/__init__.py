"""Acme's additions to flowspec."""
