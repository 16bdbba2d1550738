"""Certificates for servers of tests, made by openssl where there is one."""

import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing


def certificate(folder: Path) -> Path:
    """A new certificate for localhost that signs itself, and its key, in one file in `folder`."""
    if shutil.which("openssl") is None:
        missing("openssl", "there is none to make a certificate with")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both
