"""A Kafka broker and a schema registry on this machine, for the real clients.

The broker is the one that comes inside librdkafka for tests: it keeps its topics in memory, and speaks Kafka's protocol
on a port of the loopback address. The registry is as much of Confluent's HTTP API as serializers need.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import frozen
from confluent_kafka import Consumer, Producer, TopicPartition

from demo.processes import LOOPBACK

PARTITIONS = 4
"""As many the broker gives a topic."""


@frozen
class Kafka:
    """Where it is, and what an operator can ask it."""

    bootstrap_servers: str
    registry_url: str

    def produce(self, topic: str, value: bytes, headers: dict[str, str], key: str = "") -> None:
        """Put any bytes on a topic. Those with the same key stay in order."""
        producer = Producer({"bootstrap.servers": self.bootstrap_servers})
        producer.produce(topic, key=key, value=value, headers=list(headers.items()))
        if producer.flush(10):
            raise TimeoutError(f"The broker did not take a message for {topic}.")

    def begin_at_the_start(self, topic: str, group: str) -> None:
        """Give a group offsets: without any, librdkafka starts it at the end of the topic. Makes the topic."""
        Producer({"bootstrap.servers": self.bootstrap_servers}).list_topics(topic, timeout=10)
        with self._member(group) as client:
            client.commit(offsets=[TopicPartition(topic, one, 0) for one in range(PARTITIONS)], asynchronous=False)

    def committed(self, topic: str, group: str) -> int:
        """How many messages a group has committed, in all partitions."""
        with self._member(group) as client:
            found = client.committed([TopicPartition(topic, one) for one in range(PARTITIONS)], timeout=10)
        return sum(max(one.offset, 0) for one in found)

    @contextlib.contextmanager
    def _member(self, group: str) -> Iterator[Any]:
        client = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group})
        try:
            yield client
        finally:
            client.close()


@contextlib.contextmanager
def running_kafka() -> Iterator[Kafka]:
    """Both, for as long as the block lasts."""
    broker = Producer({"test.mock.num.brokers": 1, "log_level": 4})
    found = broker.list_topics(timeout=10).brokers.values()
    registry = ThreadingHTTPServer((LOOPBACK, 0), _Registry)
    registry.schemas = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=registry.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        servers = ",".join(f"{one.host}:{one.port}" for one in found)
        yield Kafka(servers, f"http://{LOOPBACK}:{registry.server_address[1]}")
    finally:
        registry.shutdown()
        thread.join()
        registry.server_close()
        del broker


class _Registry(BaseHTTPRequestHandler):
    """Registers schemas, and gives them by id."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        schemas: list[str] = self.server.schemas  # type: ignore[attr-defined]
        if asked["schema"] not in schemas:
            schemas.append(asked["schema"])
        self._answer({"id": schemas.index(asked["schema"]) + 1})

    def do_GET(self) -> None:
        schemas: list[str] = self.server.schemas  # type: ignore[attr-defined]
        found = re.match(r"/schemas/ids/(\d+)", self.path)
        if found and 0 < int(found[1]) <= len(schemas):
            self._answer({"schema": schemas[int(found[1]) - 1]})
        else:
            self._answer({"error_code": 40403, "message": "Schema not found"}, status=404)

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""
