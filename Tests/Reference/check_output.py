"""Check every file of an output folder that its index names against the schemas in Docs/reference/contract.

    usage: check_output.py FOLDER ...

Stricter than a reader has to be: a member that the schemas do not have is an error here, so that they have all. A folder
whose index is not ours, and files that are not those that the index names, are passed over: tests damage both.
"""

import hashlib
import json
import pathlib
import sys

import fastjsonschema

contract = pathlib.Path(__file__).parents[2] / "Docs" / "reference" / "contract"


def closed(schema):
    """The schema with no room for members that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


def validator(name):
    return fastjsonschema.compile(closed(json.loads((contract / f"{name}.schema.json").read_text())))


validators = {}


def check(name, file, content):
    if name not in validators:
        validators[name] = validator(name)
    try:
        validators[name](content)
    except fastjsonschema.JsonSchemaException as error:
        print(f"{file} is not what {name}.schema.json says: {error.message}")


def check_folder(folder):
    try:
        index = json.loads((folder / "index.json").read_bytes())
    except (ValueError, OSError):
        return
    if not isinstance(index, dict) or index.get("generator") != "imgrec-agent":
        return
    check("index", folder / "index.json", index)
    digests = {entry["file"]: entry["digest"] for entry in index["products"].values()}
    there = checked = 0
    for name, digest in digests.items():
        try:
            data = (folder / name).read_bytes()
        except OSError:
            continue
        there += 1
        if "sha256:" + hashlib.sha256(data).hexdigest() == digest:
            check("all" if name == "all.json" else "product", folder / name, json.loads(data))
            checked += 1
    # Tests damage a file, or some. Were all other than the index says, the digests would be wrong.
    if there > 3 and checked == 0:
        print(f"{folder}: no file is the one that index.json names")


for name in sys.argv[1:]:
    check_folder(pathlib.Path(name))
