"""Prints what the DAGs are, as JSON: run by tests as a process, so that Airflow is imported nowhere else."""

import json
import sys
import time
from pathlib import Path
from typing import Any


def of_task(task: Any) -> dict[str, Any]:
    """Return what matters of a task."""
    from airflow.sdk.module_loading import import_string

    policy = task.retry_policy
    return {
        "pool": task.pool,
        "queue": task.queue,
        "owner": task.owner,
        "retries": task.retries,
        "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "upstream": sorted(task.upstream_task_ids),
        "stops_at": [import_string(rule.exception).__name__ for rule in policy.rules] if policy else [],
        "told": bool(task.on_failure_callback),
    }


def main() -> None:
    """Read the folder twice; print the facts."""
    began = time.process_time()
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    imported = time.process_time()
    folder = str(Path(sys.argv[1]))
    bag = DagBag(folder)
    read = time.process_time()
    again = DagBag(folder)
    facts = {
        "errors": bag.import_errors,
        "warnings": [str(one) for one in getattr(bag, "dag_warnings", ())],
        "seconds": {"airflow": imported - began, "dags": read - imported},
        "dags": {
            dag.dag_id: {
                "file": Path(dag.fileloc).name,
                "tags": sorted(dag.tags),
                "doc": dag.doc_md or "",
                "timetable": type(dag.timetable).__name__,
                "catchup": dag.catchup,
                "max_active_runs": dag.max_active_runs,
                "timeout": dag.dagrun_timeout.total_seconds() if dag.dagrun_timeout else None,
                "deadline": bool(dag.deadline),
                "same": DagSerialization.to_dict(dag) == DagSerialization.to_dict(again.dags[dag.dag_id]),
                "outlets": sorted({asset.uri for task in dag.tasks for asset in task.outlets}),
                "tasks": {task.task_id: of_task(task) for task in dag.tasks},
            }
            for dag in bag.dags.values()
        },
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
