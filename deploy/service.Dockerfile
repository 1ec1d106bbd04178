# One recipe for all images. A target is a service; each holds only what that service needs.
#
#   docker build -f deploy/service.Dockerfile --target memory \
#     --build-arg EXTRA=memory --build-arg PACKAGE=memory -t batos/memory .
#
# EXTRA is the service's extra in pyproject.toml, PACKAGE its package below services/.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# A stage of its own: where its locks stay the same, an image installs nothing anew.
FROM ${PYTHON_IMAGE} AS locks
ARG EXTRA
COPY deploy/locked.py /build/
COPY deploy/locks /build/locks
RUN python /build/locked.py select "${EXTRA}" /selected

# What pip leaves behind never reaches an image: only the virtual environment is copied on, without
# the tests of packages. It keeps a record of the files it was made of.
FROM ${PYTHON_IMAGE} AS packages
ARG EXTRA
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
COPY deploy/locked.py /build/
COPY --from=locks /selected /build/locks
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    /opt/venv/bin/python /build/locked.py install "${EXTRA}" --record /opt/venv/installed.json \
 && /opt/venv/bin/pip uninstall --quiet --yes pip setuptools \
 && cd /opt/venv/lib/python3*/site-packages && rm -rf pandas/tests pyarrow/tests torch/test

# The same user everywhere, so that a volume written by one image can be read by another.
FROM ${PYTHON_IMAGE} AS base
RUN groupadd --gid 10001 batos \
 && useradd --uid 10001 --gid batos --no-create-home --home-dir /data --shell /usr/sbin/nologin batos \
 && install -d -o batos -g batos -m 0700 /data /run/batos /run/batos/identity
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app:/app/protos \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY protos/batos protos/batos
COPY shared shared

FROM base AS service
ARG PACKAGE
ENV BATOS_MODULE=services.${PACKAGE}
COPY services/__init__.py services/
COPY services/${PACKAGE} services/${PACKAGE}
# Nothing can be written at run time, so what Python would keep for the next start is made now.
RUN python -m compileall -q /app
USER batos
CMD ["sh", "-c", "exec python -m \"$BATOS_MODULE\""]

FROM service AS memory

FROM service AS toolforge

FROM service AS model-server
USER root
# llama.cpp computes with OpenMP, and its wheel leaves that to the system.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt
USER batos

FROM service AS gateway

FROM service AS supervisor
COPY deploy/codex.toml deploy/codex.toml

FROM service AS trainer
# What libraries put down on their way may be large: on the volume, not in memory.
RUN install -d -m 0700 /data/tmp
COPY deploy/bases.toml deploy/bases.toml
COPY services/model_server/starter_model/weights services/model_server/starter_model/weights

# What guests of profile data have, in the shape that the executor looks for.
FROM ${PYTHON_IMAGE} AS guest-packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY deploy/locked.py /build/
COPY deploy/locks/guest-data.txt /build/locks/
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    python /build/locked.py install guest-data --target /packages/data --record /guest-data.json \
 && rm -rf /packages/data/pandas/tests

# gVisor and the guest's files are put in place now: starting a container downloads nothing.
FROM service AS sandbox-executor
USER root
ENV BATOS_CACHE_DIR=/opt/batos
COPY sandbox/boot.py sandbox/runner.py sandbox/relay.py sandbox/
COPY --from=guest-packages /packages /opt/batos/sandbox-packages
COPY --from=guest-packages /guest-data.json /opt/batos/
COPY deploy/install_gvisor.py /build/deploy/install_gvisor.py
RUN cd /build && python -m deploy.install_gvisor \
 && cd /app && python -m services.sandbox_executor.guest_image /opt/batos \
 && rm -rf /build
USER batos

# The owner's own tools: certificates, and the demo.
FROM base AS operator
COPY deploy deploy
COPY demo demo
COPY CONTRIBUTING.md ./
# The demo draws what it asks for as the starter model's corpus does.
COPY services/__init__.py services/
COPY services/model_server/__init__.py services/model_server/
COPY services/model_server/starter_model/__init__.py services/model_server/starter_model/
COPY services/model_server/starter_model/corpus services/model_server/starter_model/corpus
RUN install -d -o batos -g batos -m 0700 /identities /identities/authority /identities/memory \
      /identities/sandbox-executor /identities/toolforge /identities/trainer \
      /identities/supervisor /identities/gateway /identities/operator \
 && python -m compileall -q /app
USER batos
CMD ["python", "-m", "deploy.identity", "--help"]
