"""What a cluster prints: JSON lines for a program, a few aligned lines for a person."""

import json
import sys
from pathlib import Path
from typing import Any

from deploy.local.supervisor import Restarted


class Printer:
    """Writes to stdout, each event as it happens."""

    def __init__(self, *, json_lines: bool, data: Path) -> None:
        self._json_lines = json_lines
        self._data = data

    def ready(self, told: dict[str, Any]) -> None:
        """How to reach the cluster; `told` is the `ready` line."""
        if self._json_lines:
            self._write(json.dumps(told))
            return
        imap, smtp = told["imap"], told["smtp"]
        names = {process["name"].partition("-")[0] for process in told["processes"]}
        lines = {
            "API": f"{told['api']}/docs",
            "key": told["key"],
            "write to": f"{told['address']}, by SMTP at {smtp['host']}:{smtp['port']}",
            "mailbox": f"imap://{imap['host']}:{imap['port']}",
            "login": f"user {imap['user']}, password {imap['password']}",
            "letters": told["outbox"],
            "Kafka": told["kafka"],
            "MongoDB": told["mongo"],
            "logs": str(self._data / "logs"),
            "running": f"{len(told['processes'])} processes of {len(names)} kinds",
        }
        width = max(map(len, lines))
        shown = "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())
        self._write(f"\nThe cluster is ready. Stop it with Ctrl-C.\n\n{shown}\n")

    def restarted(self, restart: Restarted) -> None:
        """A process died and was started again, or could not be."""
        if self._json_lines:
            line = {"event": "restarted", "name": restart.name, "pid": restart.pid, "exit": restart.exit}
            self._write(json.dumps(line if restart.fault is None else {**line, "fault": restart.fault}))
        elif restart.fault is None:
            self._write(f"{restart.name} ended ({restart.exit}) and runs again as {restart.pid}")
        else:
            self._write(f"{restart.name} ended ({restart.exit}) and does not start: {restart.fault}")

    def stopping(self) -> None:
        """The end has begun; it takes as long as the services need to drain."""
        if not self._json_lines:
            self._write("stopping …")

    def _write(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
