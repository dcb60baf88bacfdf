"""Adds model labels to relevance_labels: candidates without one of the admitted labeler version.

Grain: one row per query, item and labeler version; one of label_chunks per commit. Inputs: the
run's candidates, queries, items, impressions, relevance_labels, labeler_versions,
labeler_decisions, text_embeddings (where they are of the labeler's encoder they are not computed
again), and the labeler directory of the admitted version.
Idempotency: a pair that has a label of the version is left alone. Distinct pairs of texts are read
once, most shown first, in chunks that are committed as they finish: a run that is killed loses at
most the chunk that it was in, and the next run goes on after the last one that was committed. Only
one run at a time.
Run: counterpoise label_pairs --conf FILE --set labeling.budget_minutes=60

Without an admitted version nothing is labelled. Conf `labeling` says how many pairs of texts are
read (budget_pairs: the same ones on every machine) or for how long (budget_minutes), whether pairs
of people's grades are labelled, and what a new version labels again.
"""

from contextlib import ExitStack
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEMS,
    LABEL_CHUNKS,
    LABELER_DECISIONS,
    LABELER_VERSIONS,
    QUARANTINE,
    QUERIES,
    RELEVANCE_LABELS,
    TEXT_EMBEDDINGS,
)
from features.labels.pairs import TEXT_PAIR, shown_pairs
from features.labels.plan import (
    add_pair_texts,
    known_answers,
    labels_of,
    plan_chunks,
    quarantine_rows,
    rank_sizes,
    select_certain,
    text_pairs,
    wanted_pairs,
    with_chunk,
)
from jobs.labels.label_report import tell_mix
from jobs.labels.labelers import Row, in_force, versions_with_status
from jobs.labels.labeling import UNANSWERED, Chunks, Totals, make_printer
from jobs.platform.job import Job
from jobs.platform.plans import keep_frame
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse

_NO_TEXT = "no_text_to_label"


@dataclass(frozen=True)
class LabelingInputs:
    """Rows of the tables that say what is to be labelled.

    Attributes:
        stands: labels that stand: pairs with one of them are left out.
        human: labels of people whose pairs are left out; None: label them, too.
    """

    candidates: DataFrame
    queries: DataFrame
    items: DataFrame
    impressions: DataFrame
    stands: list[DataFrame]
    human: DataFrame | None


def build(inputs: LabelingInputs, conf: ResolvedConf) -> DataFrame:
    """Build the pairs that want a label, with their texts, times shown, and why
    some can have none.
    """
    shown = shown_pairs(inputs.impressions, conf.run_date)
    return wanted_pairs(inputs.candidates, inputs.human, inputs.stands).transform(
        add_pair_texts, inputs.queries, inputs.items, shown
    )


def run(run: Run) -> None:
    """Label what the budget allows; rows in are the pairs of the chunks that were begun."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    versions = versions_with_status(warehouse) if conf.tree.labeling.enabled else []
    version = in_force(versions)
    if version is None:
        report.notes.append("no labeler version is admitted: nothing is labelled")
        return
    labels = warehouse.read(RELEVANCE_LABELS)
    inputs = _read_inputs(warehouse, labels, version, versions)
    with ExitStack() as stack:
        pairs = keep_frame(build(inputs, conf), stack)
        if conf.dry_run:
            count = pairs.count()
            report.notes.append(f"dry run: {count:,} pairs without a label of {version['kind']}")
            report.count_rows(RELEVANCE_LABELS.name, count, count)
            return
        unable = _quarantine_unable(warehouse, pairs, version)
        totals = Totals(quarantined=unable)
        chunks = Chunks(warehouse, version, make_printer())
        chunks.complete_chunks()
        able = pairs.where("reason IS NULL")
        texts = _copy_known(chunks, labels, able, inputs, totals, stack)
        _label_chunks(chunks, texts, totals, stack)
        wanted = pairs.count()
        _report_totals(warehouse, version, totals, wanted)
        _warn_of_none(report, totals, wanted - unable)


def _read_inputs(
    warehouse: Warehouse, labels: DataFrame, version: Row, versions: list[Row]
) -> LabelingInputs:
    conf = warehouse.conf.tree.labeling
    stands = [labels_of(labels, str(version["labeler_version"]))]
    before = in_force([row for row in versions if row is not version])
    if conf.relabel == "differing" and before is not None:
        stands.append(select_certain(labels_of(labels, str(before["labeler_version"])), conf.doubt))
    return LabelingInputs(
        candidates=warehouse.read_run(CANDIDATES),
        queries=warehouse.read(QUERIES),
        items=warehouse.read(ITEMS),
        impressions=warehouse.read(IMPRESSIONS),
        stands=stands,
        human=None if conf.judged_pairs else labels.where("source = 'human'"),
    )


def _quarantine_unable(warehouse: Warehouse, pairs: DataFrame, version: Row) -> int:
    """Quarantine pairs that cannot be labelled, in place of all that an earlier run of the date
    quarantined: what got no answer then is asked again.
    """
    run_date, rules = warehouse.conf.run_date, f"('{_NO_TEXT}', '{UNANSWERED}')"
    unable = pairs.where("reason IS NOT NULL")
    rows = quarantine_rows(unable, _NO_TEXT, str(version["labeler_version"]), run_date)
    where = (
        f"run_date = DATE'{run_date}' AND table_name = '{RELEVANCE_LABELS.name}' "
        f"AND rule IN {rules}"
    )
    if unable.isEmpty() and not warehouse.exists(QUARANTINE):
        return 0
    return warehouse.replace(QUARANTINE, rows, where).rows


def _copy_known(
    chunks: Chunks,
    labels: DataFrame,
    pairs: DataFrame,
    inputs: LabelingInputs,
    totals: Totals,
    stack: ExitStack,
) -> DataFrame:
    """Copy answers to pairs whose texts the version has labelled; return the texts left over."""
    texts = keep_frame(text_pairs(pairs), stack)
    of_version = labels_of(labels, str(chunks.version["labeler_version"]))
    if of_version.isEmpty():
        return texts
    answers = known_answers(of_version, pairs, inputs.queries, inputs.items)
    unread = {"reason": F.lit(None).cast("string"), "suspected": F.lit(False)}
    matches = texts.join(answers, on=list(TEXT_PAIR), how="inner").withColumns(unread)
    copied = keep_frame(matches.select("members", "p_ge_1", "p_ge_2", "grade", *unread), stack)
    if copied.isEmpty():
        return texts
    chunks.commit(copied, totals)
    chunks.say(f"{totals.counts['labels']:,} labels copied from pairs of the same texts")
    return texts.join(answers.select(*TEXT_PAIR), on=list(TEXT_PAIR), how="left_anti")


def _label_chunks(chunks: Chunks, texts: DataFrame, totals: Totals, stack: ExitStack) -> None:
    """Plan the chunks and run them."""
    tree, report = chunks.warehouse.conf.tree, chunks.warehouse.report
    conf = tree.labeling
    sizes = rank_sizes(texts)
    if not sizes:
        return
    plan = plan_chunks(sizes, min(conf.chunk_pairs, conf.budget_pairs or conf.chunk_pairs))
    plan = plan.cut_to_budget(conf.budget_pairs)
    report.details["waiting"] = sum(sizes.values())
    planned = with_chunk(texts, plan, tree.seed).where(F.col("chunk") < len(plan.sizes))
    # By chunk, so that one chunk is read without the others.
    tasks = max(tree.spark.shuffle_partitions, len(plan.sizes))
    chunks.run(keep_frame(planned.repartition(tasks, "chunk"), stack), plan, totals)


def _report_totals(warehouse: Warehouse, version: Row, totals: Totals, wanted: int) -> None:
    report, counts = warehouse.report, totals.counts
    report.count_rows(
        RELEVANCE_LABELS.name,
        counts["labels"] + totals.quarantined,
        counts["labels"],
        totals.quarantined,
    )
    report.count_rows(LABEL_CHUNKS.name, totals.chunks, totals.chunks)
    waiting = wanted - counts["labels"] - totals.quarantined
    report.details |= {**counts, "labeler_version": version["labeler_version"], "waiting": waiting}
    report.details["pairs_per_second"] = round(totals.rate, 1)
    report.notes.append(
        f"labeler {version['labeler_version']}: {counts['text_pairs']:,} pairs of texts, "
        f"{counts['labels']:,} labels, {totals.quarantined:,} quarantined, {waiting:,} pairs wait"
    )
    if counts["suspected"]:
        report.notes.append(f"{counts['suspected']:,} texts look like orders to the labeler")
    if counts["labels"]:
        tell_mix(warehouse, version, counts)


def _warn_of_none(report: JobReport, totals: Totals, due: int) -> None:
    if due and not totals.counts["labels"]:
        report.warnings.append(
            f"no label was made though {due:,} pairs were due: the reasons are in "
            f"{QUARANTINE.name}, rule {UNANSWERED}"
        )


JOB = Job(
    run,
    summary="labels of the admitted labeler for candidates that have none",
    reads=(
        CANDIDATES,
        QUERIES,
        ITEMS,
        IMPRESSIONS,
        RELEVANCE_LABELS,
        LABELER_VERSIONS,
        LABELER_DECISIONS,
        TEXT_EMBEDDINGS,
    ),
    may_lack=(LABELER_VERSIONS, LABELER_DECISIONS, TEXT_EMBEDDINGS),
    writes=(RELEVANCE_LABELS, LABEL_CHUNKS, QUARANTINE),
    sections=("labeling",),
)
