"""A receiver that verifies with the Standard Webhooks library of PyPI.

Not a receiver to copy: it prints one JSON line for each request, for the test that started it. The secret stands in
the environment; the first line names the port.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

WEBHOOK = Webhook(os.environ["SECRET"])
LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"id": headers.get("webhook-id"), "problem": None}
        try:
            told["data"] = WEBHOOK.verify(body, headers)["data"]
        except WebhookVerificationError as problem:
            told["problem"] = str(problem)
        with LOCK:
            print(json.dumps(told), flush=True)
        self.send_response(401 if told["problem"] else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
