#!/usr/bin/env bash
# Regenerates the committed stubs beside each .proto: messages and services from grpcio-tools,
# their types from mypy-protobuf. `protos/generate.sh DIR` writes elsewhere, for the drift check.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-.}
python=${PYTHON:-../.venv/bin/python}
bin=$(dirname "$(command -v "$python")")
PATH="$bin:$PATH" "$python" -m grpc_tools.protoc --proto_path=. \
  --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" --mypy_grpc_out="$out" \
  $(find batos -name '*.proto' | sort)
