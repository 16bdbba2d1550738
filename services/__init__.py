"""The five services, the sandbox and the command line."""
