"""Sends events with the CloudEvents SDK in every mode, and holds what comes back against them.

Arguments: the node's address, and a token where it needs one.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

from cloudevents.v1.conversion import to_binary, to_json, to_structured
from cloudevents.v1.http import CloudEvent, from_http, from_json

NODE = sys.argv[1]
TOKEN = sys.argv[2] if len(sys.argv) > 2 else None
TOPIC = NODE + "/v1/topics/events"
EVENTS = TOPIC + "/particles"
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
# Attributes that the node adds.
ADDED = {"effluxsequence"}


def send(method, url, body=None, headers=None):
    """Answers status, headers with small letters, and body."""
    headers = dict(headers or {})
    if TOKEN:
        headers["authorization"] = "Bearer " + TOKEN
    request = urllib.request.Request(url, data=body, method=method)
    for name, value in headers.items():
        request.add_header(name, value)
    if body is not None and not any(name.lower() == "content-type" for name in headers):
        # urllib would say that it is a form.
        request.add_unredirected_header("Content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, dict(refusal.headers), refusal.read()


def decoded(headers):
    """The SDK leaves the values of headers as they came."""
    return {
        name: urllib.parse.unquote(value) if name.startswith("ce-") else value
        for name, value in headers.items()
    }


def encoded(headers):
    """The SDK writes values into headers as they are; the binding wants some of them encoded."""
    return {
        name: urllib.parse.quote(value, safe="".join(map(chr, range(0x21, 0x7F))).replace("%", "").replace('"', ""))
        if name.startswith("ce-")
        else value
        for name, value in headers.items()
    }


def check(name, is_right, *shown):
    if not is_right:
        sys.exit(f"{name}: {shown}")


def same(name, sent, back, said=()):
    """Holds an event against the one that was sent; `said` is what the way itself may add."""
    sent_attributes, attributes = sent.get_attributes(), dict(back.get_attributes())
    for added in ADDED:
        check(name, attributes.pop(added, None) is not None, "no", added)
    for attribute in said:
        if attribute not in sent_attributes:
            attributes.pop(attribute, None)
    check(name, dict(sent_attributes) == attributes, dict(sent_attributes), attributes)
    as_bytes = lambda data: data.encode() if isinstance(data, str) else data
    check(name, as_bytes(sent.data) == as_bytes(back.data), sent.data, back.data)


def appended(name, answer):
    status, _, body = answer
    check(name, status in (200, 201), status, body)
    return json.loads(body)["receipts"][0]["sequence"]


def all_events(mode):
    attributes = {
        "full": {
            "subject": 's/ü "q" 100%',
            "time": "2026-01-01T10:00:00+02:00",
            "dataschema": "http://example/schema?a=b#c",
            "partitionkey": "a key",
            "sequence": "00042",
        },
        "text": {"datacontenttype": "text/plain"},
        "bytes": {"datacontenttype": "application/octet-stream"},
        "markup": {"datacontenttype": "application/xml"},
        "json": {"datacontenttype": "application/json"},
        "plain": {},
        "none": {},
    }
    data = {
        "full": {"a": [1, 2, "ü"]},
        "text": "plain text",
        "bytes": b"\x00\x01\xff",
        "markup": "<a/>",
        "json": {"b": None},
        "plain": {"c": True},
        "none": None,
    }
    for name, more in attributes.items():
        known = {"id": f"{mode}-{name}", "source": "/me?a=b", "type": "com.example." + name}
        yield name, CloudEvent({**known, **more}, data[name])


def try_mode(mode, convert):
    for kind, event in all_events(mode):
        name = f"{mode} {kind}"
        headers, body = convert(event, **({"data_marshaller": marshalled} if mode == "binary" else {}))
        place = appended(name, send("POST", EVENTS, body or b"", encoded(headers)))
        status, back, body = send("GET", f"{EVENTS}/{place}", headers={"accept": ONE})
        check(name, status == 200, status, body)
        if mode == "structured":
            same(name, event, from_http(back, body))
        status, back, body = send("GET", f"{EVENTS}/{place}/payload")
        check(name, status == 200, status, body)
        read = from_http(decoded(back), body, data_unmarshaller=unmarshalled(event.data))
        # A body without a content type is told as bytes, or as the JSON that it is.
        same(name + " in headers", event, read, said=["datacontenttype"])
        again = appended(name, send("POST", EVENTS, *reversed(repeated(event, mode, convert))))
        check(name, again == place, "appended twice", place, again)


def repeated(event, mode, convert):
    headers, body = convert(event, **({"data_marshaller": marshalled} if mode == "binary" else {}))
    return encoded(headers), body or b""


def marshalled(data):
    """Texts and bytes are bodies as they are."""
    if data is None or isinstance(data, bytes):
        return data
    return data.encode() if isinstance(data, str) else json.dumps(data).encode()


def unmarshalled(sent):
    """Reads a body as what was sent."""
    if sent is None:
        return lambda body: body or None
    if isinstance(sent, (bytes, str)):
        return lambda body: body
    return json.loads


def try_batch():
    events = [event for _, event in all_events("batch")]
    body = b"[" + b",".join(to_json(event) for event in events) + b"]"
    first = appended("batch", send("POST", EVENTS, body, {"content-type": BATCH}))
    url = f"{EVENTS}?from={first}&limit={len(events)}"
    status, _, body = send("GET", url, headers={"accept": BATCH})
    check("batch", status == 200, status, body)
    for event, back in zip(events, json.loads(body), strict=True):
        same("batch", event, from_json(json.dumps(back)))


def try_identity():
    def event(source, data):
        return to_structured(CloudEvent({"id": "7", "source": source, "type": "t"}, data))

    for source, data, expect in [("/a", 1, 201), ("/b", 1, 201), ("/a", 1, 200), ("/a", 2, 409)]:
        headers, body = event(source, data)
        # The SDK stamps each event anew; the data says whether it is the same.
        status, _, answer = send("POST", EVENTS, body, headers)
        check(f"{source} {data}", status == expect, status, answer)


def try_refusals():
    for name, headers in [
        ("no version", {"ce-id": "1", "ce-source": "s", "ce-type": "t"}),
        ("another version", {"ce-specversion": "0.3", "ce-id": "1", "ce-source": "s", "ce-type": "t"}),
        ("no source", {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t"}),
    ]:
        status, _, answer = send("POST", EVENTS, b"x", headers)
        check(name, status == 400, status, answer)


status, _, answer = send("PUT", TOPIC)
check("topic", status in (200, 201), status, answer)
try_mode("binary", to_binary)
try_mode("structured", to_structured)
try_batch()
try_identity()
try_refusals()
print("events: every mode, both ways")
