"""`type: sqoop`: imports a table of a database by Sqoop, which command-runner.jar runs."""

_OPTIONS = {"connect": "--connect", "table": "--table", "target_dir": "--target-dir", "mappers": "--num-mappers"}

SCHEMA = {
    "description": "An import by Sqoop.",
    "properties": {
        "connect": {"$ref": "#/$defs/text", "description": "The database, as JDBC names it."},
        "table": {"$ref": "#/$defs/text", "description": "The table to import."},
        "target_dir": {"$ref": "#/$defs/text", "description": "The folder to write to."},
        "mappers": {"type": "integer", "minimum": 1, "description": "How many map tasks read at once."},
    },
    "required": ["connect", "table", "target_dir"],
}


def compile(step):
    """The HadoopJarStep of a step; `step.fields` are its keys."""
    options = [word for key, name in _OPTIONS.items() if key in step.fields for word in (name, str(step.fields[key]))]
    return {"Jar": "command-runner.jar", "Args": ["sqoop", "import", *options]}


def recognize(step, target):
    """The keys of a step that compiles to `step`; flowspec compiles them to see whether that is so."""
    args = step.get("Args", [])
    if step["Jar"] != "command-runner.jar" or args[:2] != ["sqoop", "import"]:
        return None
    keys = {name: key for key, name in _OPTIONS.items()}
    pairs = list(zip(args[2::2], args[3::2], strict=False))
    if not {name for name, _ in pairs} <= keys.keys():
        return None
    return {keys[name]: int(value) if name == "--num-mappers" else value for name, value in pairs}
