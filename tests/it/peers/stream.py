"""Reads a stream of server-sent events with the library of PyPI, as often as it is told where to go on."""

import json
import os
import sys

import httpx
from httpx_sse import connect_sse

for line in sys.stdin:
    wish = json.loads(line)
    headers = {"authorization": "Bearer " + os.environ["SECRET"]}
    if wish["after"]:
        headers["last-event-id"] = wish["after"]
    with httpx.Client(timeout=60) as client, connect_sse(client, "GET", wish["url"], headers=headers) as source:
        wanted = wish["count"]
        for event in source.iter_sse():
            told = {"id": event.id, "event": event.event, "data": event.json()}
            print(json.dumps(told), flush=True)
            wanted -= 1
            if wanted == 0:
                break
