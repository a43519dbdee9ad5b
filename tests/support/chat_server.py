#!/usr/bin/env python3
"""A server of chat completions with faults: chat_server.py FOLDER

Listens on a free port of 127.0.0.1, which it writes to FOLDER/port. The model
that is asked for says how it answers. Every request adds a line to
FOLDER/requests: path, authorization, body."""

import json
import os
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler

folder = sys.argv[1]
lock = threading.Lock()
calls = 0


def quoted(text, name):
    """The quoted lines after a line with this name."""
    lines = []
    for line in text[text.index("\n" + name + "\n") + len(name) + 2 :].split("\n"):
        if not line.startswith("> "):
            break
        lines.append(line[2:])
    return "\n".join(lines)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, reply, status=200):
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say(self, text, prompt):
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 1}
        message = {"role": "assistant", "content": text}
        self.answer({"choices": [{"index": 0, "message": message}], "usage": usage})

    def do_POST(self):
        global calls
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock, open(os.path.join(folder, "requests"), "a") as file:
            calls += 1
            number = calls
            line = {
                "path": self.path,
                "authorization": self.headers.get("Authorization"),
                "body": body,
            }
            file.write(json.dumps(line) + "\n")
        model = body["model"]
        prompt = body["messages"][0]["content"]
        if model == "shorter":
            first = len(quoted(prompt, "SUMMARY1:")) <= len(quoted(prompt, "SUMMARY2:"))
            return self.say("ANSWER: SUMMARY1" if first else "SUMMARY2", prompt)
        if model == "denies-sixth":
            if number == 6:
                return self.answer({"error": prompt}, 401)
            return self.say("SUMMARY1", prompt)
        if model == "busy-once" and number == 1:
            return self.answer({"error": prompt}, 503)
        if model == "words":
            return self.say("SCORE: %d" % len(quoted(prompt, "ANSWER:").split()), prompt)
        if model == "silent":
            return self.say(None, prompt)
        if model == "numbers":
            return self.answer({"choices": [{"message": {"content": 3}}]})
        if model == "endless":
            return self.say("x" * 1_000_001, prompt)
        if model == "no-usage":
            return self.answer({"choices": [{"message": {"content": "SUMMARY1"}}]})
        return self.say("SUMMARY1", prompt)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # a caller that has left


with Server(("127.0.0.1", 0), Handler) as server:
    with open(os.path.join(folder, "port.new"), "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    server.serve_forever()
