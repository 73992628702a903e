#!/usr/bin/env bash
#
# R12: schemathesis sends what the API's description allows, and what it does not, to a server of its own on SQLite, as
# an administrator of the platform and as nobody. No answer may be a 5xx or differ from the description. Not part of
# tests/run: it fetches schemathesis from PyPI. Needs python3 with venv, and curl.
#
# Usage: tests/attacks/schemathesis.sh [EXAMPLES]     so many for each operation and phase; 10 unless said
set -euo pipefail
exec </dev/null
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly VERSION=4.32.5
readonly CHECKS=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance
readonly PASSWORD="quiet harbour lantern 41"

main() {
    local examples="${1:-10}"
    folder="$(mktemp -d)"
    server=""
    trap clean_up EXIT

    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$VERSION"
    start_server "${GATELODGE:-}"
    local token status=0
    token="$(sign_in)"

    say "as an administrator of the platform"
    attack "$examples" --header "Authorization: Bearer $token" || status=$?
    say "as nobody"
    attack "$examples" || status=$?
    kill -0 "$server" || { say "the server is gone"; status=1; }
    if grep -E ' ERROR |panicked' "$folder/log"; then
        status=1
    fi
    exit "$status"
}

say() {
    printf '\n==> %s\n' "$*"
}

clean_up() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}

# Starts the program, which is built unless it is named, where limits do not get in the way.
start_server() {
    local program="$1"
    if [ -z "$program" ]; then
        cargo build --quiet --bin gatelodge
        program="${CARGO_TARGET_DIR:-target}/debug/gatelodge"
    fi
    cat >"$folder/gatelodge.toml" <<TOML
[limits]
network_free_tries = 1000000
flows_per_network_per_minute = 1000000
TOML
    "$program" serve --config "$folder/gatelodge.toml" --data-dir "$folder/data" --listen 127.0.0.1:0 >"$folder/log" 2>&1 &
    server=$!
    local tries
    for tries in $(seq 100); do
        grep -q ' serving ' "$folder/log" && break
        sleep 0.1
    done
    base="$(sed -n 's/.* origin=\(http[^ ]*\).*/\1/p' "$folder/log")"
    [ -n "$base" ] || { cat "$folder/log"; exit 2; }
}

# Sets the server up and signs its administrator in; prints the session's token.
sign_in() {
    local link flow
    link="$(sed -n 's/^set-up link: .*token=//p' "$folder/log")"
    post /api/v1/setup "{\"token\":\"$link\",\"tenant\":\"lodge\",\"user_name\":\"root\",\"password\":\"$PASSWORD\"}" >/dev/null
    flow="$(post /api/v1/sign-in/flows '{"transport":"token","tenant":"lodge"}' | field '["id"]')"
    post "/api/v1/sign-in/flows/$flow" \
        "{\"provider\":\"password\",\"answer\":{\"user_name\":\"root\",\"password\":\"$PASSWORD\"}}" | field '["session"]["token"]'
}

post() {
    curl --silent --show-error --fail --header 'Content-Type: application/json' --data "$2" "$base$1"
}

field() {
    python3 -c "import json, sys; print(json.load(sys.stdin)$1)"
}

# Signing out would end the session that the others need.
attack() {
    local examples="$1"
    shift
    "$folder/venv/bin/schemathesis" run "$base/openapi.json" --checks "$CHECKS" --max-examples "$examples" \
        --exclude-operation-id end_session --request-timeout 30 --continue-on-failure --no-color --seed 1 "$@"
}

main "$@"
