#!/usr/bin/env bash
# Fails where the committed stubs are not what the .proto files give.
set -euo pipefail
cd "$(dirname "$0")"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
./generate.sh "$fresh" 2>/dev/null
committed=$(mktemp -d)
trap 'rm -rf "$fresh" "$committed"' EXIT
find batos \( -name '*_pb2*.py' -o -name '*_pb2*.pyi' \) -exec cp --parents {} "$committed" \;
diff -r "$fresh" "$committed" || { echo "stubs differ from the .proto files: run make protos" >&2; exit 1; }
