"""What recipients build against, made from the contracts: an AsyncAPI 3 document and a JSON Schema
(2020-12) for each message. `docs/recipients/` has both as files; the service serves them too."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, Final

from fastapi import APIRouter
from pydantic.json_schema import models_json_schema

from shared.contracts.base import Contract
from shared.contracts.notification import Challenge, Notification, Ping, ReceiptGiven
from shared.contracts.topics import routed_topic
from shared.errors import Refused
from shared.web import JsonResponse

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MESSAGES: Final[dict[str, type[Contract]]] = {
    "notification": Notification,
    "challenge": Challenge,
    "ping": Ping,
    "receipt": ReceiptGiven,
}
_SIGNED: Final = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {
            "type": "string",
            "description": "The delivery's id, the same on every repeat: drop what you have already.",
        },
        "webhook-timestamp": {"type": "string", "description": "Seconds since 1970, of this attempt."},
        "webhook-signature": {
            "type": "string",
            "description": "One `v1,` signature per secret in use, separated by spaces (Standard Webhooks).",
        },
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
    },
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one message, by its short name. Raises KeyError where there is none."""
    model = MESSAGES[name]
    told = model.model_json_schema(mode="validation", by_alias=True)
    return {"$schema": DIALECT, "$id": f"waymark.{name}.json", **told}


@cache
def _asyncapi() -> dict[str, Any]:
    _, told = models_json_schema(
        [(model, "validation") for model in MESSAGES.values()],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    messages = {
        name: {
            "name": name,
            "title": (model.__doc__ or name).split("\n")[0].strip().rstrip("."),
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        }
        for name, model in MESSAGES.items()
        if name != "receipt"
    }
    on_topic = {
        **messages["notification"],
        "name": "routed",
        "headers": {"type": "object", "properties": {"traceparent": {"type": "string"}}},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The case: force/reference."}}},
    }
    return {
        "asyncapi": "3.0.0",
        "id": "urn:waymark:recipients",
        "info": {
            "title": "Waymark for recipients",
            "version": "1",
            "description": "What a service gets from Waymark: signed webhooks at its own address, or a Kafka"
            " topic of its own. Both carry the same notification; answers go to `asked.receipts`, by HTTP.",
            "license": {"name": "Apache-2.0"},
            "contact": {"name": "Those who run your Waymark"},
            "tags": [{"name": "recipients"}],
        },
        "defaultContentType": "application/json",
        "servers": {
            "yours": {
                "host": "your.service.example",
                "protocol": "https",
                "description": "The address that two people described and that answered its challenge.",
            },
            "kafka": {
                "host": "kafka.waymark.example:9093",
                "protocol": "kafka-secure",
                "description": "The cluster of those who run Waymark; your user may read your topic alone.",
                "security": [{"$ref": "#/components/securitySchemes/kafka"}],
            },
        },
        "channels": {
            "webhook": {
                "address": "/",
                "servers": [{"$ref": "#/servers/yours"}],
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            },
            "topic": {
                "address": routed_topic("{recipient}"),
                "servers": [{"$ref": "#/servers/kafka"}],
                "parameters": {"recipient": {"description": "Your id among the recipients."}},
                "messages": {"routed": {"$ref": "#/components/messages/routed"}},
            },
        },
        "operations": {
            "takeWebhook": {
                "action": "receive",
                "channel": {"$ref": "#/channels/webhook"},
                "summary": "Answer 2xx within ten seconds; anything else is tried again for 28 hours.",
                "bindings": {"http": {"method": "POST"}},
            },
            "readTopic": {
                "action": "receive",
                "channel": {"$ref": "#/channels/topic"},
                "summary": "On the topic is not received: that takes a receipt.",
            },
        },
        "components": {
            "messages": {
                **{name: {**message, "headers": _SIGNED} for name, message in messages.items()},
                "routed": on_topic,
            },
            "schemas": told["$defs"],
            "securitySchemes": {
                "kafka": {"type": "scramSha512", "description": "As the cluster's owners give it to you."}
            },
        },
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document: a new copy, ready to be written as JSON."""
    return deepcopy(_asyncapi())


def published() -> dict[str, dict[str, Any]]:
    """Every file of `docs/recipients/` that is made from the contracts, by its name."""
    return {"asyncapi.json": asyncapi(), **{f"{name}.schema.json": schema(name) for name in MESSAGES}}


def published_routes() -> APIRouter:
    """Where the service serves them; nobody needs a key."""
    router = APIRouter(tags=["contracts"])

    @router.get("/asyncapi.json", summary="What recipients get, as AsyncAPI 3")
    async def document() -> JsonResponse:
        return JsonResponse(asyncapi())

    @router.get("/schemas/{name}.json", summary="The JSON Schema of one message")
    async def one(name: str) -> JsonResponse:
        if name not in MESSAGES:
            raise Refused(404, "No such schema", f"There are: {', '.join(MESSAGES)}.")
        return JsonResponse(schema(name))

    return router
