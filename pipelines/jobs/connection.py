"""The bucket's key from an Airflow Connection: the one module that imports Airflow, and only inside of its tasks."""

from __future__ import annotations

from dataclasses import replace

from pipelines.errors import WrongUsage
from pipelines.settings import Settings


def with_connection(settings: Settings) -> Settings:
    """Return settings with the key of the Airflow Connection that OPEDS_AWS_CONN_ID names: inside of Airflow only.

    Its extra may hold `region_name`, `endpoint_url` and `aws_session_token`, as those of Airflow's AWS provider do.
    Raises `WrongUsage` when there is no such Connection.
    """
    if not settings.connection:
        return settings
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException

    try:
        known = Connection.get(settings.connection)
    except AirflowException as error:
        raise WrongUsage(f"OPEDS_AWS_CONN_ID={settings.connection}: there is no such Connection in Airflow") from error
    extra = known.extra_dejson
    return replace(
        settings,
        access_key=known.login or settings.access_key,
        secret_key=known.password or settings.secret_key,
        session_token=extra.get("aws_session_token", ""),
        region=extra.get("region_name") or settings.region,
        endpoint=extra.get("endpoint_url") or settings.endpoint,
    )
