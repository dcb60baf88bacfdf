"""Makes `text_embeddings`: the sentence embedding of every query text and item title.

Grain: one row per distinct text (by hash) and encoder version. Inputs: items, queries.
Idempotent by key: only texts without an embedding of this encoder are encoded.
Of the encoders, this one among them, `features.kept_versions` stay.
Run: counterpoise embed_texts --conf FILE --run-date 2026-03-01
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import ITEMS, QUERIES, TEXT_EMBEDDINGS
from features.text.texts import encoder_text, item_title, text_hash
from jobs.platform.job import Job
from jobs.platform.plans import keep_frame
from jobs.platform.run import Run
from jobs.text.versions import remove_old_versions
from model.text.encoder import EncoderSpec, find_encoder
from udfs.embed import embed_udf


@dataclass(frozen=True)
class EmbeddingInputs:
    """Rows of the raw tables, what is embedded already (None: nothing), and the encoder."""

    items: DataFrame
    queries: DataFrame
    embedded: DataFrame | None
    encoder: EncoderSpec


def new_texts(inputs: EmbeddingInputs) -> DataFrame:
    """Return text_hash and text of the distinct texts that have no embedding of
    this encoder yet.
    """
    titles = inputs.items.select(item_title(F.col("title"), F.col("brand")).alias("raw"))
    texts = (
        inputs.queries.select(F.col("query_text").alias("raw"))
        .unionByName(titles)
        .select(
            text_hash(F.col("raw")).alias("text_hash"), encoder_text(F.col("raw")).alias("text")
        )
        .distinct()
    )
    if inputs.embedded is None:
        return texts
    embedded = inputs.embedded.where(F.col("encoder_version") == inputs.encoder.version)
    return texts.join(embedded.select("text_hash"), on="text_hash", how="left_anti")


def build(texts: DataFrame, encoder: EncoderSpec, conf: ResolvedConf) -> DataFrame:
    """Build the embeddings of the texts of `new_texts`.

    Equal inputs meet the encoder in equal batches: partitions by hash, sorted by length.
    """
    return (
        texts.repartition(conf.tree.spark.shuffle_partitions, "text_hash")
        .sortWithinPartitions(F.length("text"), "text_hash")
        .select(
            "text_hash",
            F.lit(encoder.version).alias("encoder_version"),
            embed_udf(encoder)("text").alias("embedding"),
            F.lit(conf.run_date).alias("run_date"),
        )
        .transform(TEXT_EMBEDDINGS.conform)
    )


def run(run: Run) -> None:
    """Encode and append; rows in are the new texts."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    exists = warehouse.exists(TEXT_EMBEDDINGS)
    inputs = EmbeddingInputs(
        items=warehouse.read(ITEMS),
        queries=warehouse.read(QUERIES),
        embedded=warehouse.read(TEXT_EMBEDDINGS) if exists else None,
        encoder=find_encoder(conf.tree.encoder),
    )
    texts = keep_frame(new_texts(inputs))
    count = texts.count()
    report.details["encoder_version"] = inputs.encoder.version
    if count == 0 or conf.dry_run:
        report.notes.append(f"{count} texts without an embedding of {inputs.encoder.version}")
        report.count_rows(TEXT_EMBEDDINGS.name, rows_in=count, rows_out=count)
        return
    new_at = report.inputs.get(TEXT_EMBEDDINGS.name)
    rows = build(texts, inputs.encoder, conf)
    written = warehouse.merge(TEXT_EMBEDDINGS, rows, update=False, new_at=new_at)
    report.count_rows(TEXT_EMBEDDINGS.name, rows_in=count, rows_out=written.rows)
    report.details["removed_versions"] = remove_old_versions(
        warehouse, TEXT_EMBEDDINGS, "encoder_version", inputs.encoder.version
    )


JOB = Job(
    run,
    summary="sentence embeddings of new query texts and item titles",
    reads=(ITEMS, QUERIES),
    writes=(TEXT_EMBEDDINGS,),
    sections=("encoder", "features"),
)
