"""Document -> JobFlow: the schema and the rules, in the words of a spec."""
