"""A stand-in for Anthropic's API inside a smoke test's container: no network, no login, no cost.

With `mcp` it is an MCP server over its standard input and output instead. What it answers is decided by
the last thing that was said, which begins with `smoke`; see `checks.rs` for what each answer proves.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MEMORY = "The word of the smoke test's memory is heron."


def text_of(message):
    content = message.get("content", "")
    if isinstance(content, str):
        return content
    parts = []
    for block in content:
        if block.get("type") == "text":
            parts.append(block.get("text", ""))
        elif block.get("type") == "tool_result":
            parts.append(text_of(block))
    return "\n".join(parts)


def asked(messages):
    """What is asked for last, where it was asked, and what a tool has answered since."""
    result = None
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.get("role") != "user":
            continue
        content = message.get("content")
        results = [block for block in content if block.get("type") == "tool_result"] if isinstance(content, list) else []
        if results:
            result = text_of(message) if result is None else result
            continue
        for line in reversed(text_of(message).splitlines()):
            if line.startswith("smoke "):
                return line.strip(), index, result
    return "", 0, result


def decide(body):
    """The answer's text, or the tool that is called and its input."""
    words, index, result = asked(body.get("messages", []))
    tools = {tool.get("name") for tool in body.get("tools", [])}
    before = "\n".join(text_of(message) for message in body["messages"][:index])
    if result is not None:
        return "the tool said: " + result
    if words == "smoke tool" and "Bash" in tools:
        return "Bash", {"command": "echo tool-$DRYDOCK_SMOKE", "description": "says a word"}
    if words == "smoke mcp" and "mcp__smoke__say" in tools:
        return "mcp__smoke__say", {}
    if words == "smoke memory":
        seen = MEMORY in json.dumps(body)
        return "memory seen" if seen else "no memory"
    if words == "smoke resume":
        return "earlier words seen" if "smoke words" in before else "no earlier words"
    return "words heard" if words == "smoke words" else "nothing to say"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, kind, data):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.reply(200 if self.path == "/ready" else 404, "application/json", b"{}")

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("content-length", "0")))
        path = self.path.split("?")[0]
        if path == "/v1/messages/count_tokens":
            return self.reply(200, "application/json", b'{"input_tokens": 10}')
        if path != "/v1/messages":
            return self.reply(404, "application/json", b"{}")
        body = json.loads(data)
        answer = decide(body)
        if isinstance(answer, str):
            block, stop = {"type": "text", "text": answer}, "end_turn"
        else:
            block, stop = {"type": "tool_use", "id": "toolu_smoke", "name": answer[0], "input": answer[1]}, "tool_use"
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {
            "id": "msg_smoke", "type": "message", "role": "assistant", "model": body.get("model"),
            "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
        }
        if not body.get("stream"):
            message.update(content=[block], stop_reason=stop)
            return self.reply(200, "application/json", json.dumps(message).encode())
        if stop == "end_turn":
            empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
        stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        return self.reply(200, "text/event-stream", stream.encode())


def serve_mcp():
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = {}
        if request["method"] == "initialize":
            version = request.get("params", {}).get("protocolVersion", "2025-06-18")
            about = {"name": "smoke", "version": "1"}
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
        elif request["method"] == "tools/list":
            schema = {"type": "object", "properties": {}}
            result = {"tools": [{"name": "say", "description": "says a word", "inputSchema": schema}]}
        elif request["method"] == "tools/call":
            result = {"content": [{"type": "text", "text": "a word of the server"}]}
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)


if sys.argv[1:] == ["mcp"]:
    serve_mcp()
else:
    ThreadingHTTPServer(("127.0.0.1", 8765), Handler).serve_forever()
