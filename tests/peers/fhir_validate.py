"""A second judge of the FHIR we write: PyPI fhir.resources (R4B models), which shares no code with Medplum or fhir-sdk.

Reads a JSON array of resources from stdin and prints a JSON array of what it finds wrong:
    [{"index": 3, "resource": "Task", "id": "t1", "problems": ["status: Field required"]}]
Exit code 0 when all are sound, 1 when one is not, 2 when stdin is no JSON array. No resource's words are printed.
"""

import importlib
import json
import sys

from pydantic import ValidationError


def problems(resource):
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str) or not kind.isalpha():
        return ["it has no resourceType"]
    try:
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        model = getattr(module, kind)
    except (ImportError, AttributeError):
        return [f"R4B knows no {kind}"]
    try:
        model.model_validate(resource)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
    return []


def main():
    try:
        resources = json.load(sys.stdin)
    except json.JSONDecodeError:
        resources = None
    if not isinstance(resources, list):
        print("stdin is no JSON array", file=sys.stderr)
        return 2
    failures = []
    for index, resource in enumerate(resources):
        found = problems(resource)
        if found:
            about = resource if isinstance(resource, dict) else {}
            failures.append(
                {"index": index, "resource": about.get("resourceType"), "id": about.get("id"), "problems": found}
            )
    print(json.dumps(failures))
    return 1 if failures else 0


sys.exit(main())
