"""A real IMAP server of one's own: Dovecot as an ordinary process on a high port, mails in Maildirs.

Promises:
- `start()` returns when it greets clients; about 0.1 s. It runs as root or as any user, and touches nothing
  of the system's own Dovecot.
- The mails lie in `folder/mail/USER` and survive `stop()` and `kill()`.
- A mail that `deliver()` has put there is told to a client in IDLE within a second.
- Wrong passwords are answered at once, and a user may hold any number of connections.

Failures: `Refused` when Dovecot is not installed, or with the end of its log when it does not start.
"""

import base64
import contextlib
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.sandbox.maildrop import deliver, make_maildir
from services.sandbox.process import Process, Server, free_port
from shared.domain.errors import Refused

HOST = "127.0.0.1"
USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]*")
# Debian keeps the program in sbin, which is on the PATH of root alone.
PATHS = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"

# Only root may chroot, hence the empty ones. Without its penalty socket anvil slows no wrong password.
CONFIGURATION = """\
protocols = imap
listen = {host}
base_dir = {run}
state_dir = {run}/state
log_path = {folder}/dovecot.log
instance_name = ombud-{port}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login{mechanisms}
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%u
mail_max_userip_connections = 10000
mailbox_idle_check_interval = 1 secs
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 0
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users/%u
}}
{tokens}
userdb {{
  driver = static
  args = home={folder}/home/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
"""

TOKENS = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {file}
}}
"""
# The endpoint is asked about each token (RFC 7662).
INTROSPECTION = """\
introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
"""

# Dovecot refuses root as the owner of mails. Its package makes this user, who gets root's access to files.
INSTEAD_OF_ROOT = "dovecot"


class Dovecot(Server):
    """An IMAP server with these users (name to password); `port=None` picks a free one for good.

    With `introspection`, the address of an endpoint that knows tokens (RFC 7662), users may also log in with
    such: XOAUTH2 and OAUTHBEARER.
    """

    name = "Dovecot"

    def __init__(
        self,
        folder: Path,
        users: Mapping[str, str],
        port: int | None = None,
        introspection: str | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder.resolve()
        self.port = port or free_port()
        self._users = dict(users)
        self._introspection = introspection
        self._run: Path | None = None

    @staticmethod
    def available() -> bool:
        """Whether Dovecot is installed on this machine."""
        return _program() is not None

    @property
    def imap_address(self) -> tuple[str, int]:
        """Host and port for IMAP without TLS."""
        return HOST, self.port

    def start(self) -> None:
        """Start serving; return when clients are greeted."""
        program = _program()
        if program is None:
            raise Refused("dovecot is missing: apt-get install dovecot-imapd")
        if self.running:
            return
        self._end_orphans()
        self._forget_run_folder()
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, password in self._users.items():
            self.add_user(name, password)
        command = [program, "-F", "-c", str(self._write_configuration())]
        # Not SIGKILL: the master has to end its own children.
        self._process = Process(
            "Dovecot",
            command,
            self.folder / "dovecot.log",
            death_signal=signal.SIGTERM,
            user=INSTEAD_OF_ROOT if os.geteuid() == 0 else None,
        )
        self._process.start()
        self._process.wait_until(self._greets, within=15.0)

    def stop(self) -> None:
        """End it and all its connections; harmless when it does not run."""
        super().stop()
        self._forget_run_folder()

    def kill(self) -> None:
        """SIGKILL to the master and its children, as a power cut would; the mails stay."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        super().kill()
        self._forget_run_folder()

    def add_user(self, name: str, password: str) -> None:
        """One more user, also while it runs; a new password for a known one counts a second later."""
        _write_user(self.folder / "users" / _checked(name), name, password)
        make_maildir(self.maildir(name))

    def maildir(self, user: str) -> Path:
        """The Maildir that is this user's INBOX."""
        return self.folder / "mail" / _checked(user)

    def deliver(self, user: str, raw: bytes) -> Path:
        """Put a mail into the user's INBOX, durably, as a mail server does; return its file."""
        return deliver(self.maildir(user), raw)

    def _end_orphans(self) -> None:
        """A master that was killed leaves children that hold the port; they are in its process group."""
        if self.exit_status == -signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _write_configuration(self) -> Path:
        # Names of UNIX sockets are limited to about 100 bytes, so they cannot lie in any folder of ours.
        self._run = Path(tempfile.mkdtemp(prefix="ombud-dovecot-"))
        self._run.chmod(0o755)
        user = pwd.getpwnam(INSTEAD_OF_ROOT) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        tokens = self._write_introspection()
        text = CONFIGURATION.format(
            tokens=tokens,
            mechanisms=" xoauth2 oauthbearer" if tokens else "",
            host=HOST,
            port=self.port,
            folder=self.folder,
            run=self._run,
            user=user.pw_name,
            group=grp.getgrgid(user.pw_gid).gr_name,
        )
        path = self.folder / "dovecot.conf"
        path.write_text(text)
        return path

    def _write_introspection(self) -> str:
        """What the configuration says of tokens."""
        if self._introspection is None:
            return ""
        file = self.folder / "dovecot-oauth2.conf"
        file.write_text(INTROSPECTION.format(url=self._introspection))
        return TOKENS.format(file=file)

    def _greets(self) -> bool:
        try:
            with socket.create_connection(self.imap_address, timeout=1.0) as connection:
                return connection.recv(64).startswith(b"* OK")
        except OSError:
            return False

    def _forget_run_folder(self) -> None:
        if self._run is not None:
            shutil.rmtree(self._run, ignore_errors=True)
            self._run = None


def _program() -> str | None:
    return shutil.which("dovecot", path=PATHS)


def _checked(user: str) -> str:
    if not USER_NAME.fullmatch(user):
        raise Refused(f"{user!r} cannot be a mailbox user: letters, digits and . _ @ + - only")
    return user


def _write_user(file: Path, name: str, password: str) -> None:
    """A file of its own for each user: Dovecot looks for changes in a known one once a second at most."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{name}~")
    # Base64: a colon in a password would end the field.
    part.write_text(f"{name}:{{PLAIN.b64}}{base64.b64encode(password.encode()).decode()}\n")
    part.chmod(0o600)
    part.replace(file)
