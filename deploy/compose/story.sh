# What the stories share. Sourced by each, with the compose file in `file`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
compose=(docker-compose --file "$here/$file")
# More files over it, as the overlay with the watchers.
for overlay in ${PEERD_OVERLAYS:-}; do compose+=(--file "$overlay"); done
compose+=(--project-name "${PROJECT:-peerd-${file%.yaml}}")

say() { printf '==> %s\n' "$*" >&2; }

# ctl SIDE COMMAND…: peerctl in the container of a side.
ctl() { "${compose[@]}" exec -T "$1" peerctl "${@:2}"; }

# field NAME: one field of a JSON document.
field() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# until_true WHAT COMMAND…: tries again until it succeeds, a minute at most.
until_true() {
  local what=$1 end=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "not in time: $what" >&2; return 1; }
    sleep 0.5
  done
}

# make SIDE TITLE [FLAG…]: an enrollment in the side's volume, unless there is one.
make() {
  "${compose[@]}" run --rm --no-deps -T "$1" config check >/dev/null 2>&1 ||
    "${compose[@]}" run --rm --no-deps -T "$1" init --data-dir /data --name "$1" --title "$2" "${@:3}"
}

healthy() { "${compose[@]}" exec -T "$1" peerd health; }

# start SIDE…: runs them and waits until they serve.
start() {
  "${compose[@]}" up --detach "$@"
  for side in "$@"; do until_true "$side serves" healthy "$side"; done
}

space() {
  ctl "$1" space create flights >/dev/null
  ctl "$1" ontology apply flights /samples/flights.yaml >/dev/null
}

# It works: healthy, or degraded, as where the clocks are far apart.
link_works() { [[ $(ctl "$1" -o json link show "$2" | field status) =~ ^(healthy|degraded)$ ]]; }

# connect A B LINK: A asks over its link, B approves, A activates; the id on standard output.
connect() {
  local asked id
  asked=$(ctl "$1" -o json connection request --space flights --link "$3" --export objects --import objects)
  id=$(field connection_id <<<"$asked")
  field code <<<"$asked" | ctl "$2" connection approve - --space flights >/dev/null
  ctl "$1" connection wait "$id" --stage approved --timeout 60s >/dev/null
  ctl "$1" connection activate "$id" >/dev/null
  ctl "$2" connection wait "$id" --stage active --timeout 60s >/dev/null
  for side in "$1" "$2"; do ctl "$side" mapping share "$id" airport >/dev/null; done
  echo "$id"
}

verified() { ctl "$1" connection verify "$2"; }
