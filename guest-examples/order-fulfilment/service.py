#!/usr/bin/env python3
"""A service for the examples: it takes every POST on 127.0.0.1 and says so.

Usage: service.py [PORT] [FAILING-PATH...]

A request with an Idempotency-Key that it knows gets the first answer again. A
path that is to fail, such as /car, gets a 409.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 7070
FAILING = sys.argv[2:]
ANSWERS = {}


class Service(BaseHTTPRequestHandler):
    """Answers with an identifier that is made of path and number."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        key = self.headers.get("Idempotency-Key", "")
        again = bool(key) and key in ANSWERS
        if not again:
            name = self.path.strip("/").replace("/", "-")
            ANSWERS[key] = {"id": f"{name}-{len(ANSWERS) + 1}"}
        status, answer = 200, ANSWERS[key]
        if self.path in FAILING:
            status, answer = 409, {"error": f"{self.path} is sold out"}
        print(f"{status} {self.path} {body} key={key}{' (again)' if again else ''}", flush=True)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """One line a request is enough."""


print(f"listening on http://127.0.0.1:{PORT}", flush=True)
ThreadingHTTPServer(("127.0.0.1", PORT), Service).serve_forever()
