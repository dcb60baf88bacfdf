"""Makes `judgment_sample`: the pairs most worth a rater's time, with a CSV and an HTML sheet.

Grain: one row per run and pair. Inputs: relevance_labels, queries, items, impressions, and
label_audit and rater_answers where they exist.
Idempotency: the rows of the run date are replaced; the draw depends on conf `seed` and the pair.
Run: counterpoise sample_for_judgment --conf FILE [--run-date DATE]

Files for the raters: judging/<run date>/pairs.csv and sheet.html under the storage root. Their
answers (CSV: pair, rater, grade) go to judging/<run date>/answers for `import_judgments`.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.audit.decisions import latest_audit
from features.contracts import (
    IMPRESSIONS,
    ITEMS,
    JUDGMENT_SAMPLE,
    LABEL_AUDIT,
    QUERIES,
    RATER_ANSWERS,
    RELEVANCE_LABELS,
)
from features.judging.answers import pair_code
from features.judging.sampling import SamplingInputs, build_pool, draw_sample
from features.judging.sheet import SheetPair, sheet_csv, sheet_html
from jobs.platform.job import Job
from jobs.platform.plans import cut_plan
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from model.files import write_text


def build(inputs: SamplingInputs, conf: ResolvedConf) -> DataFrame:
    """Build the sample: `judging.budget` rows, or all of the pool where it holds fewer."""
    pairs = cut_plan(build_pool(inputs, conf.tree, conf.run_date))
    return pairs.transform(lambda df: draw_sample(df, conf.tree, conf.run_date))


def run(run: Run) -> None:
    """Draw the sample, write the table and the files."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    sample = cut_plan(build(_read_inputs(warehouse), conf))
    rows = sample.count()
    if rows < conf.tree.judging.budget:
        report.notes.append(f"only {rows} pairs to ask for, of judging.budget")
    written = warehouse.replace_run(JUDGMENT_SAMPLE, sample)
    report.count_rows(JUDGMENT_SAMPLE.name, rows, written.rows)
    by_reason = sample.groupBy("reason").count().collect()
    report.details["by_reason"] = {row["reason"]: int(row["count"]) for row in by_reason}
    if not conf.dry_run:
        _write_files(sample, warehouse)


def _read_inputs(warehouse: Warehouse) -> SamplingInputs:
    run_date = warehouse.conf.run_date
    audit = warehouse.read(LABEL_AUDIT) if warehouse.exists(LABEL_AUDIT) else None
    answers = warehouse.read(RATER_ANSWERS) if warehouse.exists(RATER_ANSWERS) else None
    return SamplingInputs(
        labels=warehouse.read(RELEVANCE_LABELS),
        audit=None if audit is None else latest_audit(audit, run_date),
        queries=warehouse.read(QUERIES),
        items=warehouse.read(ITEMS),
        impressions=warehouse.read(IMPRESSIONS),
        answered=None if answers is None else answers.where(F.col("run_date") < F.lit(run_date)),
    )


def _write_files(sample: DataFrame, warehouse: Warehouse) -> None:
    """Write the files in an order that tells nothing of the reason; the budget bounds the rows."""
    code = pair_code(F.col("query_id"), F.col("item_id"))
    rows = sample.select(code.alias("code"), "query_text", "title").orderBy("code").collect()
    pairs = [SheetPair(row["code"], row["query_text"], row["title"]) for row in rows]
    folder = warehouse.judging_dir()
    (folder / "answers").mkdir(parents=True, exist_ok=True)
    write_text(folder / "pairs.csv", sheet_csv(pairs))
    title = f"Relevance of search results, {warehouse.conf.run_date.isoformat()}"
    write_text(folder / "sheet.html", sheet_html(pairs, title))
    warehouse.report.outputs["judging"] = str(folder)
    warehouse.report.notes.append(f"for the raters: {folder / 'sheet.html'} (or pairs.csv)")


JOB = Job(
    run,
    summary="draw the pairs most worth a rater's time; CSV and HTML sheet",
    reads=(RELEVANCE_LABELS, QUERIES, ITEMS, IMPRESSIONS, LABEL_AUDIT, RATER_ANSWERS),
    may_lack=(LABEL_AUDIT, RATER_ANSWERS),
    writes=(JUDGMENT_SAMPLE,),
    sections=("judging",),
    artifacts_out=("judging",),
)
