"""A call by what reflection tells, and a probe. Usage: reflected.py HOST:PORT TOKEN"""

import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

target, token = sys.argv[1:]
channel = grpc.insecure_channel(target)
pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))


def call(method, metadata=()):
    service, name = method.rsplit("/", 1)
    described = pool.FindServiceByName(service).FindMethodByName(name)
    request = message_factory.GetMessageClass(described.input_type)
    response = message_factory.GetMessageClass(described.output_type)
    answer = channel.unary_unary(
        f"/{method}", request_serializer=request.SerializeToString, response_deserializer=response.FromString
    )(request(), metadata=metadata, timeout=10)
    return json_format.MessageToDict(answer)


print(call("grpc.health.v1.Health/Check"))
print(call("peerd.admin.v1.EnrollmentService/GetEnrollment", [("authorization", f"Bearer {token}")]))
