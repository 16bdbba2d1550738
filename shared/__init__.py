"""What the services have in common: the domain, the ports, their adapters, the stores, the runtime."""
