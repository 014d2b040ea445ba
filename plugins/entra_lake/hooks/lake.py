"""A lake from Airflow's connections: the same `Lake` that the command line makes from the environment."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.sdk import conf
from airflow.sdk.log import mask_secret

from entra_lake.aws import Aws
from entra_lake.hooks.graph import read_airflow_connection
from entra_lake.hooks.secrets import find_connection
from entra_lake.lake import Lake, open_lake
from entra_lake.settings import LakeSettings, read_lake


def open_airflow_lake(name: str) -> Lake:
    """Put a lake together: settings from lakes.yaml, secrets from Airflow's connections.

    :param name: the lake's entry in lakes.yaml.
    :raises ConfigurationError: when a connection or setting is missing or wrong.
    """
    settings = read_lake(name)
    return open_lake(settings, get_connection=read_airflow_connection, aws=airflow_aws(settings), on_token=mask_secret)


def airflow_aws(settings: LakeSettings) -> Aws:
    """Return AWS as the provider's hook reaches it: role assumption, profiles and web identity work as elsewhere.

    Without a connection that is the machine's own role.

    :raises SecretsUnavailableError: when nobody could look for the connection: its rights may be others.
    """
    find_connection(settings.aws_conn_id)
    hook: AwsGenericHook[Any] = AwsGenericHook(aws_conn_id=settings.aws_conn_id)
    return Aws(hook.get_session(), hook.conn_config.endpoint_url)


def base_url() -> str:
    """Return where people find Airflow's web UI, for links in mails."""
    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
