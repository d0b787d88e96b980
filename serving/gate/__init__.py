"""The gate: records that come over HTTP, judged as both layers will judge them, and sent to Kafka."""
