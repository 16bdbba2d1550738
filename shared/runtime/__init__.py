"""What makes a process of handlers: settings, logs, the consumer, the relay, health."""
