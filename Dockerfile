# Two images: `production` (the last stage, so the default) runs Entra Lake on Airflow; `sandbox` is the simulated cloud.
# Production holds nothing of the sandbox, no test tools and no compiler.

FROM python:3.11-slim-bookworm AS sandbox
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY requirements-sandbox.lock /opt/entra-lake/
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes \
      -r /opt/entra-lake/requirements-sandbox.lock \
 && useradd --uid 50000 --gid 0 --create-home sandbox \
 && install -d -o 50000 -g 0 -m 0700 /var/lib/sandbox /run/sandbox
# The same uid as Airflow's, so that what is handed over to Airflow is private to both.
COPY --chmod=755 plugins/entra_lake /opt/entra-lake/plugins/entra_lake
COPY --chmod=755 sandbox /opt/entra-lake/sandbox
COPY --chmod=755 container/healthy.py /opt/entra-lake/container/
ENV PYTHONPATH=/opt/entra-lake/plugins:/opt/entra-lake PYTHONUNBUFFERED=1
WORKDIR /opt/entra-lake
RUN python -m compileall -q --invalidation-mode unchecked-hash plugins sandbox
USER 50000:0
LABEL org.opencontainers.image.title="Entra Lake sandbox (SIMULATED)" \
      org.opencontainers.image.description="A simulated Microsoft Graph, AWS and mail server: for trying and testing, never for production" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
  CMD ["python", "/opt/entra-lake/container/healthy.py", "sandbox"]
ENTRYPOINT ["python", "-m", "sandbox"]
CMD ["serve", "--state-dir", "/var/lib/sandbox", "--hand-over", "/run/sandbox", "--host", "0.0.0.0", "--public-name", "sandbox", \
     "--graph-port", "8443", "--aws-port", "5000", "--smtp-port", "1025", "--mail-port", "8025", "--control-port", "8090"]

FROM apache/airflow:3.3.2-python3.11 AS production
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
USER 0
RUN install -d -o 50000 -g 0 -m 0700 /run/entra-lake/airflow /run/entra-lake/database /run/entra-lake/broker \
 && install -d -o 50000 -g 0 -m 0770 /var/log/entra-lake /var/tmp/entra-lake
USER 50000
# The environment becomes exactly what the lock says: what the base image brings beyond it goes, and what both have is
# fetched again under our hashes. So the base's own constraints have nothing to say, and no version is left to chance.
COPY requirements.lock /opt/entra-lake/
RUN uv pip sync --require-hashes --reinstall --no-build --no-cache --compile-bytecode /opt/entra-lake/requirements.lock
COPY --chmod=755 plugins /opt/entra-lake/plugins
COPY --chmod=755 include /opt/entra-lake/include
COPY --chmod=755 dags /opt/entra-lake/dags
COPY --chmod=755 container /opt/entra-lake/container
COPY LICENSE /opt/entra-lake/
USER 0
# The base may leave its entrypoint to the user; nothing that runs at the start may be changed by what runs later.
RUN chown 0:0 /entrypoint && chmod 755 /entrypoint \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/entra-lake/plugins /opt/entra-lake/dags
USER 50000:0
WORKDIR /opt/entra-lake
# plugins/ must be on the path of every process: that is how Airflow finds the connection type.
ENV PYTHONPATH=/opt/entra-lake/plugins \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/entra-lake/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/entra-lake/plugins \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/log/entra-lake \
    AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY=/var/log/entra-lake/dag_processor \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    TMPDIR=/var/tmp/entra-lake
LABEL org.opencontainers.image.title="Entra Lake" \
      org.opencontainers.image.description="Microsoft Entra ID sign-in and audit logs in your own S3, on Apache Airflow" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.base.name="docker.io/apache/airflow:3.3.2-python3.11"
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=4 \
  CMD ["python", "/opt/entra-lake/container/healthy.py"]
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/opt/entra-lake/container/entrypoint"]
CMD ["version"]
