#!/usr/bin/env python3
"""A reward server with faults: server.py FOLDER

Listens on a free port, which it writes to FOLDER/port. The path of a request
says how it is answered; the reward of a completion is the length of what
follows its prompt in the query. Every request adds a line to FOLDER/requests:
connection, path, authorization, body."""

import json
import os
import socketserver
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from socket import SO_LINGER, SOL_SOCKET

folder = sys.argv[1]
lock = threading.Lock()
seen = {}
together = 0
most_together = 0


def count(path):
    """How often this path has been asked for before."""
    with lock:
        seen[path] = seen.get(path, 0) + 1
        return seen[path] - 1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, reply, status=200):
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self):
        # No lingering: the connection ends with a reset.
        self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def do_POST(self):
        global together, most_together
        with lock:
            together += 1
            most_together = max(most_together, together)
        try:
            self.respond()
        finally:
            with lock:
                together -= 1

    def respond(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        q = json.loads(body)
        path = self.path.split("?")[0]
        with lock, open(os.path.join(folder, "requests"), "a") as file:
            line = {
                "connection": self.client_address[1],
                "path": self.path,
                "authorization": self.headers.get("Authorization"),
                "body": q,
            }
            file.write(json.dumps(line) + "\n")
        if "response" in q:  # slime: one number
            return self.answer(len(q["response"]))
        rewards = [float(len(c) - len(p)) for c, p in zip(q["query"], q["prompts"])]
        n = len(rewards)
        times = count(path)
        if path == "/named":
            named = {"length": rewards, "half": [r / 2 for r in rewards]}
            named.update(helpful=[r / 10 for r in rewards], harmless=[1 / (1 + r) for r in rewards])
            return self.answer({"rewards": named})
        if path == "/logs":
            return self.answer({"rewards": rewards, "scores": [0.5] * n, "extra_logs": {"acc": [1.0] * n}})
        if path == "/components":
            return self.answer([{"reward": r, "reward_components": {"style": -r}} for r in rewards])
        if path == "/null":
            return self.answer({"rewards": [None] * n})
        if path == "/nan":
            return self.answer(b'{"rewards": [' + b", ".join([b"NaN"] * n) + b"]}")
        if path == "/few":
            return self.answer({"rewards": rewards + [1.0]})
        if path == "/denied":
            return self.answer({"detail": q}, 401)
        if path == "/moved":
            self.send_response(307)
            self.send_header("Location", "/score")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if path == "/garbage":
            return self.answer(b"<html>busy</html>")
        if path == "/stalls":
            time.sleep(1000)
        if path.startswith("/once/") and times == 0:
            fault = path.split("/")[2]
            if fault == "500":
                return self.answer({"detail": q}, 500)
            if fault == "garbage":
                return self.answer(b"<html>busy</html>")
            if fault == "stall":
                time.sleep(3)
                return None
            if fault == "reset":
                return self.reset()
            if fault == "body":  # closes in the middle of it
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"rewards": [1')
                self.close_connection = True
                return None
        if path == "/late":  # the first calls are the slowest
            time.sleep(max(0.0, 0.2 - 0.05 * times))
        if path == "/slow":
            time.sleep(0.2 * n)
        if path == "/together":
            return self.answer({"rewards": [float(most_together)] * n})
        return self.answer({"rewards": rewards})


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
with Server(("127.0.0.1", port), Handler) as server:
    with open(os.path.join(folder, "port.new"), "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    server.serve_forever()
