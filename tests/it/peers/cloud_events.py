"""A sender and receiver of CloudEvents that writes and reads them with the CloudEvents SDK of PyPI.

It prints one JSON line for each thing it sees, for the test that started it: first the port it receives on, then, for
every line on its standard input, which is the address of the ingest, what hooklog answered to an event in each mode,
and what of them it received.
"""

import json
import sys
import threading
import urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

TIME = datetime(2026, 3, 2, 9, 14, 7, 512000, tzinfo=timezone.utc)

LOCK = threading.Lock()


def tell(**told):
    with LOCK:
        print(json.dumps(told), flush=True)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        event = from_http_event(HTTPMessage(headers=headers, body=body))
        self.send_response(204)
        self.end_headers()
        tell(
            id=event.get_id(),
            type=event.get_type(),
            subject=event.get_subject(),
            time=event.get_time() == TIME,
            actor=event.get_extension("actoruserid"),
            data=event.get_data(),
        )

    def log_message(self, *arguments):
        pass


def event(number):
    attributes = {
        "id": f"sdk-{number}",
        "source": "/ino/routing",
        "type": "call.ended",
        "specversion": "1.0",
        "time": TIME,
        "subject": 'i_7 "é" 50%',
        "datacontenttype": "application/json",
        "actoruserid": "u_1",
    }
    return CloudEvent(attributes, {"n": number, "text": "é 你好"})


def post(url, headers, body):
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request) as answer:
        tell(status=answer.status, accepted=json.load(answer)["accepted"])


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell(port=server.server_address[1])
for line in sys.stdin:
    for number, write in [(1, to_binary_event), (2, to_structured_event)]:
        message = write(event(number))
        post(line.strip(), message.headers, message.body)
    batch = b"[" + b",".join(to_structured_event(event(number)).body for number in (3, 4)) + b"]"
    post(line.strip(), {"content-type": "application/cloudevents-batch+json"}, batch)
