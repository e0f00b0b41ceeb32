"""A hub on this machine: answers as huggingface.co does, and misbehaves when it is told to.

Large files (LFS) are redirected to a store on another port with a signature in the query, small ones to another path of the hub, as
the real one has it. Everything asked for is written down.
"""

import contextlib
import dataclasses
import hashlib
import http.server
import json
import re
import socket
import ssl
import threading
import time
import urllib.parse


def git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclasses.dataclass
class Repository:
    """One commit of a model; `large` names the files that are stored beside the hub."""

    files: dict
    large: set = dataclasses.field(default_factory=set)
    commit: str = "c" * 40
    revisions: tuple = ("main",)
    card: dict = dataclasses.field(default_factory=lambda: {"license": "apache-2.0"})
    tags: tuple = ()
    gated: bool = False
    private: bool = False

    def is_large(self, path):
        return path in self.large

    def hash_of(self, path):
        content = self.files[path]
        return hashlib.sha256(content).hexdigest() if self.is_large(path) else git_hash(content)

    def entry(self, path):
        content = self.files[path]
        if not self.is_large(path):
            return {"type": "file", "oid": git_hash(content), "size": len(content), "path": path}
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.hash_of(path)}\nsize {len(content)}\n".encode()
        lfs = {"oid": self.hash_of(path), "size": len(content), "pointerSize": len(pointer)}
        return {"type": "file", "oid": git_hash(pointer), "size": len(content), "lfs": lfs, "path": path}


@dataclasses.dataclass
class Fault:
    """What happens instead, the first `times` times that a path holds `text`. The fields that are set say what."""

    text: str
    times: int = 1_000_000
    skip: int = 0  # so often it goes well first
    status: int = None
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = None
    cut_after: int = None  # bytes of the body, then the connection ends
    length: int = None  # what Content-Length claims
    change: object = None  # bytes -> bytes, of the body
    ignore_range: bool = False
    without: tuple = ()  # headers that are left out
    replace: dict = dataclasses.field(default_factory=dict)  # headers that say something else
    silence: float = 0  # seconds before an answer
    bytes_per_second: int = None


@dataclasses.dataclass
class Asked:
    """One request as it came."""

    store: bool  # of the store beside the hub
    path: str
    headers: dict
    status: int = None
    sent: int = 0  # bytes of the body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        hub = self.server.hub
        self.asked = Asked(self.server.is_store, self.path, {name.lower(): value for name, value in self.headers.items()})
        self.fault = hub.fault_for(self.path)
        with hub.lock:
            hub.asked.append(self.asked)
        try:
            if self.fault and self.fault.silence:
                time.sleep(self.fault.silence)
            if self.fault and self.fault.status:
                self.send(self.fault.status, self.fault.headers, self.fault.body or b"")
            elif self.server.is_store:
                self.store()
            else:
                self.hub()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def send(self, status, headers, body):
        fault = self.fault or Fault("")
        headers = {"Content-Length": str(len(body) if fault.length is None else fault.length)} | headers | fault.replace
        if fault.body is not None:
            body = fault.body
            headers["Content-Length"] = str(len(body))
        if fault.change:
            body = fault.change(body)
        self.asked.status = status
        self.send_response(status)
        for name, value in headers.items():
            if name not in fault.without:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        end = len(body) if fault.cut_after is None else min(fault.cut_after, len(body))
        step = max(1, fault.bytes_per_second // 20) if fault.bytes_per_second else 1 << 20
        for begin in range(0, end, step):
            self.wfile.write(body[begin : min(begin + step, end)])
            self.asked.sent = min(begin + step, end)
            if fault.bytes_per_second:
                time.sleep(0.05)
        if fault.cut_after is not None or fault.length is not None:
            self.wfile.flush()
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def refuse(self, status, code, message, headers=()):
        self.send(
            status, {"X-Error-Code": code, "X-Error-Message": message} | dict(headers), json.dumps({"error": message}).encode()
        )

    def send_content(self, content, headers):
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and not (self.fault and self.fault.ignore_range):
            begin = int(wanted[1])
            if begin >= len(content):
                self.send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
                return
            headers |= {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
            self.send(206, headers, content[begin:])
        else:
            self.send(200, headers | {"Accept-Ranges": "bytes"}, content)

    def store(self):
        url = urllib.parse.urlsplit(self.path)
        content = self.server.hub.store_content(url.path.removeprefix("/store/"))
        if "Signature=secret" not in url.query or content is None or "authorization" in self.asked.headers:
            # As a real store does with two ways of being let in.
            self.send(403, {}, b"<Error>AccessDenied</Error>")
        else:
            self.send_content(content, {"ETag": '"' + hashlib.md5(content).hexdigest() + '"'})

    def hub(self):
        url = urllib.parse.urlsplit(self.path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", url.path):
            self.with_repository(match[1], match[2] or "main", self.describe)
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", url.path):
            self.with_repository(match[1], match[2], lambda *found: self.list_tree(*found, urllib.parse.parse_qs(url.query)))
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", url.path):
            path = urllib.parse.unquote(match[3])
            self.with_repository(match[1], match[2], lambda *found: self.resolve(*found, path))
        elif match := re.fullmatch(r"/api/resolve-cache/models/([^/]+/[^/]+)/([^/]+)/(.+)", url.path):
            path = urllib.parse.unquote(match[3])
            self.with_repository(match[1], match[2], lambda *found: self.send_small(*found, path))
        else:
            self.refuse(404, "RepoNotFound", "Repository not found")

    def with_repository(self, name, revision, use):
        hub = self.server.hub
        revision = urllib.parse.unquote(revision)
        known = hub.repositories.get(name)
        is_known_token = self.asked.headers.get("authorization") == "Bearer " + hub.token
        if "authorization" in self.asked.headers and not is_known_token:
            self.refuse(401, "", "Invalid credentials in Authorization header")
        elif known is None or (known.private and not is_known_token):
            self.refuse(401, "RepoNotFound", "Repository not found")
        elif revision not in (known.commit, *known.revisions):
            self.refuse(404, "RevisionNotFound", "Invalid rev id: " + revision)
        else:
            use(name, known)

    def describe(self, name, known):
        siblings = [{"rfilename": path} for path in sorted(known.files)]
        info = {"id": name, "sha": known.commit, "siblings": siblings, "tags": list(known.tags), "cardData": known.card}
        info |= {"gated": "manual" if known.gated else False, "private": known.private, "modelId": name}
        self.send(200, {"Content-Type": "application/json"}, json.dumps(info).encode())

    def list_tree(self, name, known, query):
        entries = [known.entry(path) for path in sorted(known.files)]
        folders = {path.rpartition("/")[0] for path in known.files if "/" in path}
        entries += [{"type": "directory", "oid": "f" * 40, "size": 0, "path": folder} for folder in sorted(folders)]
        begin, page = int(query.get("cursor", ["0"])[0]), self.server.hub.page
        headers = {"Content-Type": "application/json"}
        if begin + page < len(entries):
            next_page = f"{self.server.hub.url}/api/models/{name}/tree/{known.commit}?recursive=true&cursor={begin + page}"
            headers["Link"] = f'<{next_page}>; rel="next"'
        self.send(200, headers, json.dumps(entries[begin : begin + page]).encode())

    def resolve(self, name, known, path):
        if known.gated and self.asked.headers.get("authorization") != "Bearer " + self.server.hub.token:
            message = f"Access to model {name} is restricted. You must have access to it and be authenticated."
            self.refuse(401, "GatedRepo", message)
        elif known.gated and self.server.hub.is_refusing:
            self.refuse(403, "GatedRepo", f"Access to model {name} is restricted and you are not in the authorized list.")
        elif path not in known.files:
            self.refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": known.commit}.items())
        else:
            headers = {"X-Repo-Commit": known.commit, "X-Linked-Size": str(len(known.files[path]))}
            headers["X-Linked-Etag"] = f'"{known.hash_of(path)}"'
            if known.is_large(path):
                location = f"{self.server.hub.store_url}/store/{known.hash_of(path)}?X-Amz-Signature=secret"
                self.send(302, headers | {"Location": location}, b"")
            else:
                location = f"/api/resolve-cache/models/{name}/{known.commit}/{urllib.parse.quote(path)}?etag=%22x%22"
                self.send(307, headers | {"Location": location}, b"")

    def send_small(self, _, known, path):
        self.send_content(known.files[path], {"ETag": f'"{known.hash_of(path)}"', "X-Repo-Commit": known.commit})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub, is_store, tls):
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = hub
        self.is_store = is_store
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def url(self, tls):
        return f"{'https' if tls else 'http'}://localhost:{self.server_address[1]}"


class Hub:
    """Runs until `close`. `tls` is an ssl.SSLContext for https."""

    token = "hf_right"

    def __init__(self, tls=None):
        self.lock = threading.Lock()
        self.repositories = {}
        self.faults = []
        self.asked = []
        self.page = 1000
        self.is_refusing = False  # the token's account was not let in to gated models
        self.servers = [Server(self, is_store, tls) for is_store in (False, True)]
        self.url, self.store_url = (server.url(tls) for server in self.servers)

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def fault_for(self, path):
        with self.lock:
            for fault in self.faults:
                if fault.text in path and fault.times > 0:
                    if fault.skip > 0:
                        fault.skip -= 1
                        return None
                    fault.times -= 1
                    return fault
        return None

    def store_content(self, name):
        for known in self.repositories.values():
            for path in known.large:
                if known.hash_of(path) == name:
                    return known.files[path]
        return None

    def contents(self, text=""):
        """The requests that a file's bytes came from."""
        return [
            asked for asked in self.asked if asked.status in (200, 206) and "/api/models/" not in asked.path and text in asked.path
        ]
