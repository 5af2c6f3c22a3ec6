"""A W&B run for a job that made or measured something: its type, its group, its artifacts and its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distill.tracking.lineage import Job
from distill.tracking.tables import Table
from distill.tracking.wandb_artifacts import log, use
from distill.tracking.wandb_server import why_offline
from distill.tracking.wandb_service import drop_lost_service, open_run
from distill.tracking.wandb_settings import drop_logs, private_settings

# Seconds that the end of a job waits for the upload.
FINISH_S = 15.0


@dataclass(frozen=True)
class JobSettings:
    """How a job appears in W&B.

    Attributes:
        mode: `offline` or `online`.
        project: of the run the job belongs to.
        entity: user or team; None is the account's default.
        group: of the run.
        tags: of the job.
        notes: of the job.
    """

    mode: str
    project: str
    entity: str | None
    group: str
    tags: tuple[str, ...] = ()
    notes: str | None = None


def send_job(job: Job, folder: Path, settings: JobSettings, tables: Mapping[str, Table]) -> str | None:
    """Record a job as a W&B run of its own; return what went wrong in one line, or None.

    Args:
        job: with its artifacts.
        folder: of the run it belongs to; W&B writes into `wandb/` there.
        settings: project, group and the like.
        tables: by name.
    """
    try:
        import wandb
    except ModuleNotFoundError:
        return "not installed: pip install 'distill-landmarks[track]', or --log.wandb disabled"
    reason = None
    if settings.mode == "online":
        reason = why_offline(settings.project, f"{job.run}-{job.type}", job.id, entity=settings.entity)
    try:
        with open_run(
            folder,
            project=settings.project,
            entity=settings.entity,
            group=settings.group,
            job_type=job.type,
            name=f"{job.run}-{job.type}",
            id=job.id,
            tags=list(settings.tags),
            notes=settings.notes,
            mode="online" if settings.mode == "online" and reason is None else "offline",
            config={"run": job.run, "command": job.command, "commit": job.commit, "clean": job.clean},
            settings=private_settings(FINISH_S),
        ) as run:
            for artifact in job.inputs:
                use(run, artifact)
            for name, table in tables.items():
                run.log({name: wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])})
            run.summary.update({name: value for name, value in job.metrics.items() if value is not None})
            for artifact in job.outputs:
                log(run, artifact)
    except Exception as error:  # noqa: BLE001  the job is done, whatever the tracker does
        drop_lost_service(error)
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        return f"failed ({reason})"
    finally:
        drop_logs(folder)
    return None if reason is None else f"recorded offline ({reason}), later: distill sync {folder}"
