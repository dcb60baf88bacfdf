"""Makes `texts`: what is read off the text of every query and item.

Grain: one row per distinct text (by hash) and reader version. Inputs: items, queries.
Idempotent by key: only texts that the rules in use have not read yet are read.
Run: counterpoise read_texts --conf FILE --run-date 2026-03-01
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import ITEMS, QUERIES, TEXTS
from features.text.texts import list_item_texts, list_query_texts
from jobs.platform.job import Job
from jobs.platform.plans import keep_frame
from jobs.platform.run import Run
from jobs.text.versions import read_readings, reader_version, remove_old_versions
from udfs.read_texts import READING, make_item_reader, make_query_reader


@dataclass(frozen=True)
class UnreadTexts:
    """Distinct texts that were not read yet.

    Attributes:
        queries: text_hash, text.
        items: text_hash, text, title, brand, item_type, colour, size.
    """

    queries: DataFrame
    items: DataFrame


def find_unread(queries: DataFrame, items: DataFrame, read: DataFrame | None) -> UnreadTexts:
    """Find the distinct texts without a reading.

    Args:
        queries, items: rows of the raw tables.
        read: rows of texts of the reader version in use; None: nothing was read yet.
    """
    asked = list_query_texts(queries)
    offered = list_item_texts(items).drop("item_id").dropDuplicates(["text_hash"])
    if read is None:
        return UnreadTexts(asked, offered)
    hashes = read.select("text_hash")
    return UnreadTexts(
        asked.join(hashes, on="text_hash", how="left_anti"),
        offered.join(hashes, on="text_hash", how="left_anti"),
    )


def build(unread: UnreadTexts, conf: ResolvedConf) -> DataFrame:
    """Read the texts in Spark's Python workers."""
    language = conf.tree.language
    read = unread.queries.mapInPandas(make_query_reader(language), READING).unionByName(
        unread.items.mapInPandas(make_item_reader(language), READING)
    )
    return read.withColumns(
        {"reader_version": F.lit(reader_version(conf.tree)), "run_date": F.lit(conf.run_date)}
    ).transform(TEXTS.conform)


def run(run: Run) -> None:
    """Read the new texts and add them; rows in are those texts."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    read = read_readings(warehouse) if warehouse.exists(TEXTS) else None
    pending = find_unread(warehouse.read(QUERIES), warehouse.read(ITEMS), read)
    unread = UnreadTexts(keep_frame(pending.queries), keep_frame(pending.items))
    texts = unread.queries.count() + unread.items.count()
    version = reader_version(conf.tree)
    report.details["reader_version"] = version
    if texts == 0 or conf.dry_run:
        report.notes.append(f"{texts} texts not read yet by reader version {version}")
        report.count_rows(TEXTS.name, rows_in=texts, rows_out=texts)
        return
    new_at = report.inputs.get(TEXTS.name)
    written = warehouse.merge(TEXTS, build(unread, conf), update=False, new_at=new_at)
    report.count_rows(TEXTS.name, rows_in=texts, rows_out=written.rows)
    report.details["removed_versions"] = remove_old_versions(
        warehouse, TEXTS, "reader_version", version
    )


JOB = Job(
    run,
    summary="what is read off new query texts and item texts",
    reads=(ITEMS, QUERIES),
    writes=(TEXTS,),
    sections=("features", "language"),
)
