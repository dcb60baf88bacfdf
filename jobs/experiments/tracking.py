"""One MLflow run a training of an experiment, where conf `tracking` asks for it."""

from collections.abc import Sequence

from jobs.experiments.results import Found
from jobs.platform.warehouse import Warehouse
from model.experiments.figures import ALL
from model.training.tracking import log_to_mlflow


def track(warehouse: Warehouse, found: Sequence[Found]) -> list[str]:
    """Log the figures on test of all regions; the reasons where that failed, each once."""
    failures: dict[str, None] = {}
    for one in found:
        for arm in one.arms:
            for seed, figures in one.figures.get(arm.name, {}).items():
                training = arm.trainings[seed]
                name = f"{one.study.experiment.conf.name} {training.label}"
                failure = log_to_mlflow(
                    warehouse.conf.tree.tracking,
                    warehouse.root,
                    name,
                    f"{name} {training.folder.name}",
                    {"arm": arm.name, "data": one.study.name, "seed": seed, **arm.chosen},
                    [],
                    {_plain(f.metric): f.value for f in figures if f.region == ALL},
                )
                if failure:
                    failures[failure] = None
    return list(failures)


def _plain(metric: str) -> str:
    """A name that MLflow takes."""
    return metric.replace("@", "_at_").replace("=", "_")
