"""Re-extract the archive by new rules: after a better profile, a new trafilatura, a new version of our extraction.

By hand only, after `opeds rederive` has shown on a few articles what would change. Trigger it with
`{"source": "kjd", "shards": 8}`; both may be left out. Each shard is a task. With Celery or Kubernetes the tasks spread
over the workers, which must then share an index (OPEDS_INDEX, PostgreSQL).

| task | does | if it fails |
|---|---|---|
| `shards` | makes equal shares of all articles, by the digest of their ids | retried |
| `re_extract` | reads the captures of its share again; logs a REREAD where other rules read them before. Nothing is fetched | retried; what is done already is not done again |
| `publish` | brings the table up to the log (pool `catalogue`) | retried |

A content that gets another name keeps the old one in `formerly`, so that old citations stay valid. Run it again at any
time: what today's rules read already is left as it is.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import Param, dag, task


def failed(context):
    from pipelines.jobs.notify import failed

    failed(context)


@dag(
    dag_id="opeds_rederive",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=2),
    params={
        "source": Param(None, type=["null", "string"], description="only this source; empty: all"),
        "shards": Param(8, type="integer", minimum=1, maximum=512, description="into how many tasks to divide it"),
    },
    default_args={
        "owner": "opeds",
        "retries": 3,
        "retry_exponential_backoff": 2.0,
        "execution_timeout": timedelta(hours=12),
        "on_failure_callback": failed,
    },
    tags=["opeds", "upkeep"],
    doc_md=__doc__,
)
def opeds_rederive():
    @task
    def shards(params=None):
        from pipelines.jobs.tasks import shares_of_archive

        return shares_of_archive(params["shards"])

    @task(map_index_template="{{ share_name }}")
    def re_extract(share, params=None, dag_run=None):
        from airflow.sdk import get_current_context

        from pipelines.jobs.tasks import name_of, re_extract_share

        get_current_context()["share_name"] = name_of(share)
        return re_extract_share(share, params["source"] or "", dag_run.run_id)

    @task(pool="catalogue")
    def publish():
        from pipelines.jobs.tasks import publish_catalogue

        return publish_catalogue()

    re_extract.expand(share=shards()) >> publish()


opeds_rederive()
