"""The operations of IAM and STS that are answered here and not by moto: the simulator and the assuming of roles."""

import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from botocore.validate import ParamValidator
from moto.core.serialize import QuerySerializer
from moto.core.utils import get_service_model

from localaws import signature, wire
from localaws.cloud import Cloud
from localaws.errors import AwsError
from localaws.iam import assume, enforce, requests, simulate
from localaws.iam.requests import FORM, Body, Environ
from localaws.iam.sessions import Session
from localaws.wire import Answer

Handler = Callable[[Cloud, Session | None, str, Mapping[str, Any]], Mapping[str, Any]]

OPERATIONS: dict[str, dict[str, Handler]] = {
    "iam": {
        "SimulateCustomPolicy": simulate.custom_policy,
        "SimulatePrincipalPolicy": simulate.principal_policy,
    },
    "sts": {
        "AssumeRole": assume.assume_role,
        "AssumeRoleWithWebIdentity": assume.assume_role_with_web_identity,
    },
}


def answer(cloud: Cloud, environ: Environ, body: Body) -> Answer | None:
    """Our answer to a query request, or None where moto answers."""
    signed = signature.read(environ)
    service = signed.service or "sts"  # a web identity signs nothing
    if service not in OPERATIONS or not environ.get("CONTENT_TYPE", "").startswith(FORM):
        return None
    fields = requests.form(environ, body)
    name = fields.get("Action", "")
    handler = OPERATIONS[service].get(name)
    if handler is None:
        return None
    model, given = wire.model(service).operation_model(name), requests.parameters(service, name, fields)
    report = ParamValidator().validate(given, model.input_shape)
    try:
        if report.has_errors():
            raise AwsError("ValidationError", f"1 validation error detected: {report.generate_report()}")
        found = handler(cloud, enforce.caller(cloud, environ), signed.region, given)
    except AwsError as error:
        return wire.xml_failure(error, wrapped=True)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        broken = AwsError("InternalFailure", f"localaws failed in {name}: {error!r}", status=500)
        return wire.xml_failure(broken, wrapped=True)
    response = QuerySerializer(get_service_model(service).operation_model(name)).serialize(found)
    text = response["body"]
    return response["status_code"], list(response["headers"].items()), text.encode() if isinstance(text, str) else text
