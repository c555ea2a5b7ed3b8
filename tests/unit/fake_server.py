"""A small web server on this machine's loopback that can be told to misbehave."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """The server's files and its behaviour.

    Attributes:
        files: bytes by path.
        html: paths answered with a web page.
        status: an error status by path.
        cut: number of bytes after which the connection breaks, by path, and how often it does.
        raw: whole responses by path, sent byte for byte; the connection then ends.
        ranges: whether the server supports the Range header.
        asked: (path, Range header or None) of every request.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.html: set[str] = set()
        self.status: dict[str, int] = {}
        self.cut: dict[str, tuple[int, int]] = {}
        self.raw: dict[str, bytes] = {}
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""


@contextmanager
def serve():
    """A running Site; its address is `site.url`."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            if self.path in site.raw:
                self.wfile.write(site.raw[self.path])
                self.close_connection = True
                return
            if self.path in site.status or (
                self.path not in site.files and self.path not in site.html
            ):
                self.send_error(site.status.get(self.path, 404))
                return
            page = self.path in site.html
            content = b"<html>please log in</html>" if page else site.files[self.path]
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and site.ranges else 0
            if start >= len(content) and start:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", "text/html" if page else "application/octet-stream")
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
                )
            self.end_headers()
            after, times = site.cut.get(self.path, (0, 0))
            if times:
                site.cut[self.path] = after, times - 1
                self.wfile.write(content[start : start + after])
                self.wfile.flush()
                self.connection.close()
                return
            self.wfile.write(content[start:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
