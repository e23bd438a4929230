"""The only place that builds adapters: from settings to databases, buckets, queues, workers and the web."""
