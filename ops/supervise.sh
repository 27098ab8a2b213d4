#!/bin/sh
# Keeps one process of the local cluster alive: sh ops/supervise.sh NAME [COMMAND…]
# Foreman and its like end everything when one process ends; so each line of the Procfile runs this,
# which starts its process again when that dies. TERM, INT, HUP: the process gets one TERM, 4 s to
# end, then KILL. Ends also when the one that started it is gone. Exit code 0 after a signal.

name=${1:?usage: supervise.sh NAME [COMMAND…]}
shift
folder=$(dirname "$0")
if [ $# -eq 0 ]; then
  case $name in
    sm*) set -- node "$folder/../dist/ops/start-shardmaster.js" --local "$name" ;;
    kv*) set -- node "$folder/../dist/ops/start-shardkv.js" --local "$name" ;;
    archive) set -- node "$folder/../dist/ops/start-archive.js" --local "$name" ;;
    dashboard) set -- node "$folder/../dist/dashboard/start.js" --local ;;
    prometheus) set -- node "$folder/../dist/ops/observe/start-prometheus.js" ;;
    *) echo "$name: no such process of the local cluster" >&2; exit 64 ;;
  esac
fi

parent=$PPID
# The process looks after these two as well: it ends when both of us were killed at once.
SHARDGLASS_SUPERVISOR=$$
SHARDGLASS_STARTER=${SHARDGLASS_STARTER:-$parent}
export SHARDGLASS_SUPERVISOR SHARDGLASS_STARTER
child=
is_stopping=

say() { echo "$name supervisor: $*"; }

# The second signal of an impatient foreman changes nothing.
stop() {
  [ -z "$is_stopping" ] || return 0
  is_stopping=yes
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}
trap stop TERM INT HUP QUIT

parent_now() {
  if [ -r "/proc/$$/stat" ]; then
    read -r _ _ _ found _ <"/proc/$$/stat" && echo "$found"
  else
    ps -o ppid= -p $$ | tr -d ' '
  fi
}

is_alive() {
  [ -d "/proc/$1" ] || ps -p "$1" >/dev/null 2>&1
}

starter_is_gone() {
  [ "$(parent_now)" != "$parent" ] || ! is_alive "$SHARDGLASS_STARTER"
}

# In short steps: a signal is looked at when a sleep has ended. The argument is in fifths of a second.
pause() {
  left=$1
  while [ "$left" -gt 0 ] && [ -z "$is_stopping" ]; do
    sleep 0.2
    left=$((left - 1))
  done
}

# A wait is cut short by every signal; once more until the child is really gone.
end_child() {
  left=40
  while [ $left -gt 0 ] && kill -0 "$child" 2>/dev/null; do
    sleep 0.1
    left=$((left - 1))
  done
  if kill -KILL "$child" 2>/dev/null; then say 'it did not end within 4 s: killed'; fi
  wait "$child" 2>/dev/null
}

attempt=0
while [ -z "$is_stopping" ]; do
  started=$(date +%s)
  "$@" &
  child=$!
  [ -z "$is_stopping" ] || kill -TERM "$child" 2>/dev/null
  wait "$child"
  code=$?
  if [ -n "$is_stopping" ]; then end_child; break; fi
  child=
  if starter_is_gone; then say 'the one that started it is gone'; break; fi
  [ $(($(date +%s) - started)) -lt 10 ] || attempt=0
  [ $code -ne 78 ] || attempt=9 # it refuses to start: no use in hurrying
  case $attempt in
    0) fifths=1 delay=0.2 ;;
    1) fifths=3 delay=0.6 ;;
    2) fifths=5 delay=1 ;;
    3) fifths=10 delay=2 ;;
    *) fifths=25 delay=5 ;;
  esac
  attempt=$((attempt + 1))
  say "ended with code $code; starts again in $delay s"
  pause $fifths
done
say stopped
exit 0
