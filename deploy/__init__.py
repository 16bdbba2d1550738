"""How Ombud is installed and run: images, manifests, dashboards, servers without Docker."""
