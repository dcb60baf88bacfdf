"""Which figures of the report rest on simulated data."""

from collections.abc import Callable, Mapping

from features.evaluation.names import is_relevance
from features.evaluation.rankers import LOG_FED
from jobs.reports.baselines import FROM_LOG


def rests_on_simulation(engagement: bool, grades: Mapping[str, bool]) -> Callable[[str, str], bool]:
    """Tell whether a ranker's figure rests on simulated data: its labels or what it learnt.

    Args:
        engagement: the engagement labels are simulated.
        grades: label source -> its grades are simulated or assumed.
    """

    def is_simulated(ranker: str, metric: str) -> bool:
        if not is_relevance(metric):
            return engagement
        used = grades if metric.endswith("_all_labels") else {"human"}
        labels = any(grades.get(source, False) for source in used)
        return labels or (engagement and ranker in LOG_FED | FROM_LOG)

    return is_simulated
