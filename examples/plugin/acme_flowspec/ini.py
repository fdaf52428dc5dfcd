"""Imports Acme's clusters.ini: a section [cluster] with name, release, type and count."""

import configparser


def recognizes(name, text):
    """Returns True if a file is in this format."""
    return name.endswith(".ini") and "[cluster]" in text


def read(text, folder):
    """The parameters of RunJobFlow."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
        cluster = parser["cluster"]
        group = {"InstanceRole": "MASTER", "InstanceType": cluster["type"], "InstanceCount": cluster.getint("count", 1)}
        return {"Name": cluster["name"], "ReleaseLabel": cluster["release"], "Instances": {"InstanceGroups": [group]}}
    except configparser.Error as error:
        raise ValueError(str(error)) from error
    except KeyError as error:
        raise ValueError(f"{error} is missing") from error
