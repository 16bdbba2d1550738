"""A Kafka cluster that fails as it is told to: librdkafka's mock cluster, from the `confluent-kafka` wheel.

Promises:
- Real sockets on loopback ports and the real protocol, for any client; the brokers live in threads of this
  process and end with the `with`. Topics are made by `make_topic`, for it takes no CreateTopics from clients.
- `refuse` answers the next requests of a kind with these errors, `stop_broker` and `start_broker` cut and
  allow connections, `lead` and `coordinate` move a partition or a group to another broker: at once, and
  clients learn of it as they do in life, from errors and metadata.

What it does not do, so that no test may rest on it (read in rdkafka_mock*.c of librdkafka 2.16): it checks no
producer's sequence, so a refused batch is never half there and a repeated one is appended again; it waits for
no rebalance timeout; it has no DescribeGroups; it keeps at most 5 MB a partition and drops the oldest beyond.

Failures: `Refused` says that the wheel is missing or what librdkafka did not do.
"""

import ctypes
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache

from shared.domain.errors import Refused

WHEEL = "confluent-kafka"
_PRODUCER = 0  # rd_kafka_type_t: the handle is only there for the cluster to hang on
_TEXT_BYTES = 512


class Api(IntEnum):
    """Kinds of requests, by their number in Kafka's protocol."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22


class Fault(IntEnum):
    """Errors that a broker answers, by their number in Kafka's protocol."""

    LEADER_NOT_AVAILABLE = 5
    NOT_LEADER_OR_FOLLOWER = 6
    REQUEST_TIMED_OUT = 7
    COORDINATOR_LOAD_IN_PROGRESS = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    NOT_ENOUGH_REPLICAS = 19
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
    ILLEGAL_GENERATION = 22
    UNKNOWN_MEMBER_ID = 25
    REBALANCE_IN_PROGRESS = 27
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45
    KAFKA_STORAGE_ERROR = 56


class MockKafka:
    """See the module; made by `mock_kafka`. Brokers are numbered from 1."""

    def __init__(self, library: ctypes.CDLL, cluster: int, brokers: int) -> None:
        self._library = library
        self._cluster = ctypes.c_void_p(cluster)
        self.brokers = range(1, brokers + 1)
        self.bootstrap: str = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        """The addresses of all brokers, comma separated."""

    def make_topic(self, topic: str, partitions: int) -> None:
        """Make a topic whose partitions are replicated on every broker."""
        self._do("rd_kafka_mock_topic_create", topic.encode(), partitions, len(self.brokers))

    def refuse(self, api: Api, *faults: Fault) -> None:
        """Answer the next requests of this kind, one each, with these errors and do nothing else."""
        codes = (ctypes.c_int * len(faults))(*faults)
        count = ctypes.c_size_t(len(faults))
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(api), count, codes
        )
        # After the errors: a request in between is refused and not counted, never counted and not refused.
        self._library.rd_kafka_mock_clear_requests(self._cluster)

    def asked(self, api: Api) -> int:
        """Requests of this kind since the last `refuse`: as many errors of that call have been answered."""
        count = ctypes.c_size_t()
        requests = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        kinds = [self._library.rd_kafka_mock_request_api_key(requests[n]) for n in range(count.value)]
        self._library.rd_kafka_mock_request_destroy_array(requests, count)
        return kinds.count(api)

    def forgive(self, *apis: Api) -> None:
        """Forget the errors that were not answered yet."""
        for api in apis:
            self._library.rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(api))

    def stop_broker(self, broker: int) -> None:
        """Cut its connections and take no new ones; what it holds stays, and others may lead it."""
        self._do("rd_kafka_mock_broker_set_down", broker)

    def start_broker(self, broker: int) -> None:
        """Take connections again."""
        self._do("rd_kafka_mock_broker_set_up", broker)

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Make this broker the partition's leader."""
        self._do("rd_kafka_mock_partition_set_leader", topic.encode(), partition, broker)

    def coordinate(self, group: str, broker: int) -> None:
        """Make this broker the group's coordinator."""
        self._do("rd_kafka_mock_coordinator_set", b"group", group.encode(), broker)

    def slow_down(self, broker: int, seconds: float) -> None:
        """Let each answer of this broker take so long; 0 ends it."""
        self._do("rd_kafka_mock_broker_set_rtt", broker, int(seconds * 1000))

    def _do(self, function: str, *arguments: object) -> None:
        code = getattr(self._library, function)(self._cluster, *arguments)
        if code:
            raise Refused(f"librdkafka's {function} answers {code}")


@contextmanager
def mock_kafka(brokers: int = 1) -> Iterator[MockKafka]:
    """A cluster for the body of the `with`. Raises `Refused`."""
    library = _library()
    reason = ctypes.create_string_buffer(_TEXT_BYTES)
    configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
    # The handle itself is no client of the cluster; it would say on stderr that it has no broker.
    library.rd_kafka_conf_set(configuration, b"log_level", b"0", reason, ctypes.c_size_t(_TEXT_BYTES))
    handle = library.rd_kafka_new(_PRODUCER, configuration, reason, ctypes.c_size_t(_TEXT_BYTES))
    if not handle:
        raise Refused(f"librdkafka does not start: {reason.value.decode()}")
    try:
        cluster = library.rd_kafka_mock_cluster_new(ctypes.c_void_p(handle), brokers)
        if not cluster:
            raise Refused("librdkafka makes no mock cluster")
        try:
            # A group's first member is told after 3 s by default, in case others come.
            library.rd_kafka_mock_group_initial_rebalance_delay_ms(ctypes.c_void_p(cluster), 0)
            library.rd_kafka_mock_start_request_tracking(ctypes.c_void_p(cluster))
            yield MockKafka(library, cluster, brokers)
        finally:
            library.rd_kafka_mock_cluster_destroy(ctypes.c_void_p(cluster))
    finally:
        library.rd_kafka_destroy(ctypes.c_void_p(handle))


@cache
def _library() -> ctypes.CDLL:
    """The librdkafka that lies in the wheel; raises `Refused`."""
    try:
        files = importlib.metadata.files(WHEEL) or []
    except importlib.metadata.PackageNotFoundError as missing:
        raise Refused(f"{WHEEL} is missing: install the development dependencies") from missing
    found = [file.locate() for file in files if file.name.startswith("librdkafka")]
    if not found:
        raise Refused(f"{WHEEL} brings no librdkafka of its own here")
    library = ctypes.CDLL(str(found[0]))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, function).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_get_requests.restype = ctypes.POINTER(ctypes.c_void_p)
    library.rd_kafka_mock_request_api_key.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_request_api_key.restype = ctypes.c_int16
    return library
