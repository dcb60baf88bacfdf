"""The mix of grades that a labeling run produced, beside that of the run before."""

from pyspark.sql import functions as F

from features.contracts import LABEL_CHUNKS
from jobs.labels.labelers import Row
from jobs.platform.warehouse import Warehouse
from model.labelers.mix.sampling import compute_mix, compute_total_variation, format_mix

_GRADES = ("grade_0", "grade_1", "grade_2")


def tell_mix(warehouse: Warehouse, version: Row, counts: dict[str, int]) -> None:
    """Note the mix of grades of this run, of the last one, and the labeler's production mix."""
    report, limit = warehouse.report, warehouse.conf.tree.labeling.mix_shift
    mix = compute_mix([counts[name] for name in _GRADES])
    words = [f"grades {format_mix(mix)}", f"human grades {format_mix(version['production_mix'])}"]
    report.details["mix"] = list(mix)
    last = _last_run(warehouse)
    if last is not None:
        before = compute_mix([float(last[name]) for name in _GRADES])
        shift = compute_total_variation(mix, before)
        words.append(f"last run ({last['run_date']}) {format_mix(before)}")
        report.details |= {"last_mix": list(before), "mix_shift": shift}
        if shift > limit:
            words.append(f"WARNING: they differ by {shift:.0%}, labeling.mix_shift is {limit:.0%}")
    report.notes.append("; ".join(words))


def _last_run(warehouse: Warehouse) -> Row | None:
    """Sum the grades of the latest run date before this one that labelled anything."""
    earlier = warehouse.read(LABEL_CHUNKS).where(F.col("run_date") < F.lit(warehouse.conf.run_date))
    sums = earlier.groupBy("run_date").agg(*(F.sum(name).alias(name) for name in _GRADES))
    row = sums.where(" + ".join(_GRADES) + " > 0").orderBy(F.desc("run_date")).first()
    return None if row is None else row.asDict()
