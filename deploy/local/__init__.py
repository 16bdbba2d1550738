"""Real servers as plain processes: Kafka, MongoDB and a whole cluster on one machine, without Docker."""
