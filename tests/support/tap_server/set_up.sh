#!/usr/bin/env bash
# A real TAP server (GAVO DaCHS on PostgreSQL, Debian packages) on 127.0.0.1:8180 with gaiadr3.gaia_source.
# As root:  tests/support/tap_server/set_up.sh start|stop   (make tap-server, make stop-tap-server)
# Writes tests/support/tap_server/running.json, by which the tests find the server; stop removes it.
set -euo pipefail
cd "$(dirname "$0")"
PORT=8180
URL=http://127.0.0.1:$PORT/tap
POSTGRES=$(grep -qs '"postgres": "ours"' running.json && echo ours || echo found)
PYTHON=$(cd ../../.. && pwd)/.venv/bin/python
[ -x "$PYTHON" ] || PYTHON=python3

say() { echo "tap_server: $*"; }

stop() {
  command -v dachs >/dev/null && dachs serve stop || true
  # a PostgreSQL that ran before is somebody else's
  if grep -qs '"postgres": "ours"' running.json; then pg_ctlcluster "$(version)" main stop || true; fi
  rm -f running.json
  say "stopped"
}

version() { pg_lsclusters -h 2>/dev/null | awk '$2 == "main" {print $1}' | sort -n | tail -1; }

install_postgres() {
  [ -z "$(version)" ] || [ -z "$(ls /usr/share/postgresql/"$(version)"/extension/q3c.control 2>/dev/null)" ] || return 0
  apt-get update -q
  local v=${1:-$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -1)}
  apt-get install -qy --no-install-recommends "postgresql-$v" "postgresql-$v-pgsphere" "postgresql-$v-q3c"
}

start_postgres() {
  local v; v=$(version)
  # Debian 12's pgsphere declares two operators in a way that PostgreSQL >= 15.19 refuses; drop the two clauses
  sed -i '/^-- a minimal set of backwards-compatible operators for GAVO DaCHS/,/^-- debugging/{/COMMUTATOR/d;/NEGATOR/d}' \
    /usr/share/postgresql/"$v"/extension/pg_sphere--*.sql
  if ! pg_lsclusters -h | grep -q "^$v *main.*online"; then pg_ctlcluster "$v" main start; POSTGRES=ours; fi
  for _ in $(seq 60); do su postgres -c 'psql -qAt -c "select 1"' >/dev/null 2>&1 && return; sleep 0.5; done
  say "PostgreSQL $v did not start"; return 1
}

install_dachs() {
  [ -e /etc/gavo.rc ] || cat > /etc/gavo.rc <<RC
[web]
bindAddress: 127.0.0.1
serverPort: $PORT
serverURL: http://127.0.0.1:$PORT
[async]
defaultMAXREC: 2000
hardMAXREC: 3000000
RC
  command -v dachs >/dev/null || apt-get install -qy --no-install-recommends gavodachs2-server
}

publish() {
  local inputs=/var/gavo/inputs/gaiadr3
  mkdir -p "$inputs"
  compgen -G 'cluster_data/cones/*.parquet' >/dev/null || (rm -rf cluster_data; cd ../../.. && PYTHONPATH=.:tests/support "$PYTHON" -m tap_server.clusters tests/support/tap_server/cluster_data 50)
  (cd ../../.. && PYTHONPATH=.:tests/support "$PYTHON" -m tap_server.table_description "$inputs" 20000 tests/support/tap_server/cluster_data)
  chown -R dachsroot:gavo "$inputs"
  su dachsroot -s /bin/bash -c "cd $inputs && dachs imp q"
}

serve() {
  dachs serve stop >/dev/null 2>&1 || true
  (setsid dachs serve start >/tmp/dachs_serve.log 2>&1 </dev/null &)
  for _ in $(seq 120); do curl -fs -o /dev/null "$URL/availability" && break; sleep 0.5; done
  curl -fs -d REQUEST=doQuery -d LANG=ADQL -d FORMAT=csv \
    --data-urlencode 'QUERY=SELECT COUNT(*) AS n FROM gaiadr3.gaia_source' "$URL/sync" && return
  say "DaCHS does not answer at $URL: see /tmp/dachs_serve.log, and /etc/gavo.rc, which is kept if it was there before"
  return 1
}

start() {
  if [ "$(id -u)" != 0 ]; then
    say "Debian packages are installed and PostgreSQL is started as root: run this as root, or leave it;" \
        "the tests that need the server are skipped then"
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  command -v curl >/dev/null || { apt-get update -q; apt-get install -qy --no-install-recommends curl; }
  install_postgres
  start_postgres   # must run before the DaCHS package is configured: its set-up connects to it
  install_dachs
  publish
  serve
  echo "{\"url\": \"$URL\", \"postgres\": \"$POSTGRES\"}" > running.json
  say "answers at $URL"
}

case "${1:-start}" in start) start ;; stop) stop ;; *) say "start or stop?"; exit 2 ;; esac
