"""Drives the whole handshake with clients that are not ours: grpcio knows nothing but reflection, grpcurl the same.

North's operator is grpcio with server reflection v1alpha; South's is grpcurl (1.8.6, reflection v1alpha). Both
daemons are real processes. Usage: handshake.py DIRECTORY-OF-BINARIES
"""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

BINARIES = pathlib.Path(sys.argv[1])
SAMPLES = pathlib.Path(__file__).parents[2] / "deploy" / "samples"
LIMIT = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Enrollment:
    """A real daemon in a directory of its own."""

    def __init__(self, root, name):
        self.dir = pathlib.Path(root) / name
        self.mpx, self.api = (f"127.0.0.1:{free_port()}" for _ in range(2))
        subprocess.run(
            [BINARIES / "peerd", "init", "--data-dir", self.dir, "--name", name, "--title", f"Agency {name}",
             "--listen-mpx", self.mpx, "--listen-api", self.api, "--advertise", self.mpx],
            check=True, stdout=subprocess.DEVNULL)
        self.token = (self.dir / "admin.token").read_text().strip()
        self.log = open(self.dir / "log", "wb")
        self.daemon = subprocess.Popen([BINARIES / "peerd", "run", "--data-dir", self.dir], stderr=self.log)
        eventually("ready", lambda: b"ready\n" in (self.dir / "log").read_bytes())

    def stop(self):
        self.daemon.terminate()
        assert self.daemon.wait(timeout=LIMIT) == 0, "SIGTERM drains and exits 0"


class Grpcio:
    """An operator with grpcio and nothing but what reflection tells."""

    def __init__(self, side):
        self.side = side
        self.channel = grpc.insecure_channel(side.api)
        self.pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))

    def __call__(self, method, request=None, token=None):
        service, name = method.rsplit("/", 1)
        described = self.pool.FindServiceByName(service).FindMethodByName(name)
        request_type = message_factory.GetMessageClass(described.input_type)
        response_type = message_factory.GetMessageClass(described.output_type)
        call = self.channel.unary_unary(
            f"/{service}/{name}", request_serializer=request_type.SerializeToString,
            response_deserializer=response_type.FromString)
        metadata = [("authorization", f"Bearer {token or self.side.token}")]
        answer = call(json_format.ParseDict(request or {}, request_type()), metadata=metadata, timeout=LIMIT)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)


class Grpcurl:
    """An operator with grpcurl."""

    def __init__(self, side):
        self.side = side

    def __call__(self, method, request=None, fails_with=None):
        command = ["grpcurl", "-plaintext", "-H", f"authorization: Bearer {self.side.token}", "-d", "@",
                   self.side.api, method]
        done = subprocess.run(command, input=json.dumps(request or {}), capture_output=True, text=True)
        if fails_with:
            assert done.returncode != 0 and fails_with in done.stderr, (method, done.stderr)
            return None
        assert done.returncode == 0, (method, done.stderr)
        return camel_to_snake(json.loads(done.stdout or "{}"))


def camel_to_snake(value):
    """grpcurl prints the JSON names of fields."""
    if isinstance(value, list):
        return [camel_to_snake(item) for item in value]
    if isinstance(value, dict):
        snake = lambda name: "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        return {snake(key): camel_to_snake(item) for key, item in value.items()}
    return value


def eventually(what, ask):
    began = time.monotonic()
    while time.monotonic() - began < LIMIT:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {LIMIT} s: {what}")


def allow(operator, other):
    host, port = other.mpx.split(":")
    for rule in ({"egress": {"destination": host, "ports": port, "enrollments": ["any"]}},
                 {"ingress": {"sources": ["127.0.0.0/8"], "enrollments": ["any"]}}):
        operator("peerd.admin.v1.PolicyService/ProposePolicy",
                 {**rule, "justification": "the pilot", "approve": True})


def tell(root):
    north, south = Enrollment(root, "north"), Enrollment(root, "south")
    with_grpcio, with_grpcurl = Grpcio(north), Grpcurl(south)

    health = subprocess.run(["grpcurl", "-plaintext", south.api, "grpc.health.v1.Health/Check"],
                            capture_output=True, text=True, check=True)
    assert json.loads(health.stdout) == {"status": "SERVING"}, health.stdout
    listed = subprocess.run(["grpcurl", "-plaintext", south.api, "list"], capture_output=True, text=True, check=True)
    assert "peerd.peering.v1.ConnectionService" in listed.stdout.split(), listed.stdout

    try:
        with_grpcio("peerd.admin.v1.EnrollmentService/GetEnrollment", token="peerd_" + "a" * 52)
        raise AssertionError("a token that nobody has was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        assert any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata()), "no error details"

    invited = with_grpcio("peerd.peering.v1.LinkService/InviteLink")
    with_grpcurl("peerd.peering.v1.LinkService/AcceptLink", {"code": invited["code"][:-3], "name": "north"},
                 fails_with="InvalidArgument")
    with_grpcurl("peerd.peering.v1.LinkService/AcceptLink", {"code": invited["code"], "name": "north"})
    allow(with_grpcio, south)
    allow(with_grpcurl, north)
    eventually("the link is healthy", lambda: with_grpcurl(
        "peerd.peering.v1.LinkService/GetLink", {"link": "north"})["link"]["status"] == "LINK_STATUS_HEALTHY")

    ontology = (SAMPLES / "airport.json").read_text()
    for operator in (with_grpcio, with_grpcurl):
        operator("peerd.admin.v1.SpaceService/CreateSpace", {"name": "flights"})
        operator("peerd.data.v1.OntologyService/ApplyOntology", {"space": "flights", "ontology_json": ontology})

    connections = "peerd.peering.v1.ConnectionService/"
    asked = with_grpcio(connections + "RequestConnection", {
        "space": "flights", "link": invited["link_id"], "exports": {"objects": True}, "imports": {"objects": True}})
    seen = with_grpcurl(connections + "InspectInvite", {"code": asked["code"]})
    assert seen["title"] == "Agency north" and not seen.get("problems"), seen
    one = {"connection_id": asked["connection_id"]}
    with_grpcurl(connections + "ApproveConnection", {"code": asked["code"], "space": "flights"})
    with_grpcurl(connections + "ActivateConnection", one, fails_with="PermissionDenied")
    stage = lambda operator: operator(connections + "GetConnection", one)["connection"]["stage"]
    eventually("approved", lambda: stage(with_grpcio) == "STAGE_APPROVED")
    with_grpcio(connections + "ActivateConnection", one)
    eventually("active", lambda: stage(with_grpcurl) == "STAGE_ACTIVE")

    for operator in (with_grpcio, with_grpcurl):
        operator("peerd.peering.v1.MappingService/ShareTypes",
                 {**one, "types": ["airport"], "allow_export": True, "allow_import": True})
    airport = {"space": "flights", "object_type": "airport"}
    with_grpcio("peerd.data.v1.ObjectService/CreateObject", {
        **airport, "properties": {"faa": "JFK", "name": "Idlewild", "lat": "40.64", "lon": "-73.78"}})

    def name_at_south():
        asked = with_grpcurl("peerd.data.v1.ObjectService/ListObjects", airport)
        return [item["properties"]["name"]["string_value"] for item in asked.get("items", [])]

    eventually("the airport arrived", lambda: name_at_south() == ["Idlewild"])
    north.stop()
    south.stop()


with tempfile.TemporaryDirectory() as root:
    tell(root)
print("1 passed, 0 failed")
