#!/usr/bin/env bash
# Sets up .venv from the lock file: `setup.sh run` what runs Ombud, `setup.sh dev` also what tests it, and the
# servers that the tests want (Dovecot, Java and Maven for Kafka) where this is root on a Debian-like system.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?run or dev}

say() { printf 'setup: %s\n' "$*" >&2; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  say "needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3 …"
  exit 1
}

as_root_install() { # PROGRAM PACKAGE…: install the packages if the program is missing and we may
  local program=$1
  shift
  command -v "$program" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "installing $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
      >/dev/null 2>&1 || say "could not install $*: tests that need it are skipped"
  else
    say "no $program: its tests are skipped; get it with: sudo apt-get install $*"
  fi
}

[ -x .venv/bin/python ] || "$(find_python)" -m venv .venv || {
  say "could not make a virtual environment; on Debian: sudo apt-get install python3-venv"
  exit 1
}
pip=(.venv/bin/python -m pip --disable-pip-version-check install --quiet)
if [ "$what" = run ]; then
  sed '/^# --- development/q' requirements.lock > .venv/run.txt
  "${pip[@]}" --require-hashes -r .venv/run.txt
else
  PATH=$PATH:/usr/sbin
  as_root_install dovecot dovecot-imapd
  as_root_install java default-jre-headless
  as_root_install mvn maven
  as_root_install openssl openssl
  "${pip[@]}" --require-hashes -r requirements.lock
fi
"${pip[@]}" --no-build-isolation --no-deps --editable .
touch .venv/run.stamp ".venv/$what.stamp"
