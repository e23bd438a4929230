"""The bucket and the queue: adapters around boto3 that speak in our types and our errors."""

from inspector.aws.breaker import Breaker, BreakerState
from inspector.aws.bucket import Bucket, ListPage
from inspector.aws.queue import Queue, QueueDepths
from inspector.aws.session import endpoint_url, make_s3, make_signer, make_sqs

__all__ = [
    "Breaker",
    "BreakerState",
    "Bucket",
    "ListPage",
    "Queue",
    "QueueDepths",
    "endpoint_url",
    "make_s3",
    "make_signer",
    "make_sqs",
]
