#!/usr/bin/env bash
# Fails where the committed stubs, or the reference in docs/api, are not what the .proto files give.
set -euo pipefail
cd "$(dirname "$0")"
fresh=$(mktemp -d)
committed=$(mktemp -d)
trap 'rm -rf "$fresh" "$committed"' EXIT
mkdir "$fresh/api" "$committed/api"
./generate.sh "$fresh" 2>/dev/null
"$PYTHON" ../docs/api/generate.py "$fresh/api"
find batos \( -name '*_pb2*.py' -o -name '*_pb2*.pyi' \) -exec cp --parents {} "$committed" \;
cp ../docs/api/*.md "$committed/api"
diff -r "$fresh" "$committed" || {
  echo "stubs or docs/api differ from the .proto files: run make protos" >&2
  exit 1
}
