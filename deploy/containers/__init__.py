"""The containers, truly run: `python -m deploy.containers` builds, starts, uses, kills and ends them."""
