"""Finds which readings, word statistics and comparisons hold for a conf and run date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from conf.errors import UserError
from conf.load import section_hash
from conf.schema import Conf
from features.contracts import TEXT_EMBEDDINGS, TEXT_STATISTICS, TEXTS, Table
from features.text.statistics import CATALOGUE
from jobs.platform.warehouse import Warehouse
from model.text.comparing import COMPARER_VERSION, CatalogueFigures
from model.text.encoder import find_encoder
from model.text.reading import READER_VERSION


class MissingStatisticsError(UserError, LookupError):
    """The catalogue's words were not counted; the message names the job that does."""


@dataclass(frozen=True)
class Statistics:
    """The word statistics in force.

    Attributes:
        version: hash of the rows, led by the reader version.
        rows: of text_statistics, those of one run.
        items: items counted.
        tokens: their tokens (count).
    """

    version: str
    rows: DataFrame
    items: int
    tokens: int

    def prepare_figures(self, conf: Conf) -> CatalogueFigures:
        """Give what BM25 needs of them, but the frequencies of terms."""
        average = self.tokens / max(self.items, 1)
        return CatalogueFigures(
            self.items, average, {}, conf.features.bm25_k1, conf.features.bm25_b
        )


def reader_version(conf: Conf) -> str:
    """Hash what a reading depends on: the code's version and the language."""
    language = conf.language.model_dump(mode="json")
    return section_hash({"reader": READER_VERSION, "language": language})


def comparer_version(conf: Conf, statistics: Statistics) -> str:
    """Hash what a comparison depends on beside the two texts."""
    parts: Mapping[str, Any] = {
        "comparer": COMPARER_VERSION,
        "statistics": statistics.version,
        "k1": conf.features.bm25_k1,
        "b": conf.features.bm25_b,
        "encoder": find_encoder(conf.encoder).version,
    }
    return section_hash(parts)


def read_readings(warehouse: Warehouse) -> DataFrame:
    """Read the texts that were read by the rules in use."""
    version = reader_version(warehouse.conf.tree)
    return warehouse.read(TEXTS).where(F.col("reader_version") == version)


def read_embeddings(warehouse: Warehouse) -> DataFrame:
    """Read text_hash and embedding of the encoder in use."""
    version = find_encoder(warehouse.conf.tree.encoder).version
    rows = warehouse.read(TEXT_EMBEDDINGS).where(F.col("encoder_version") == version)
    return rows.select("text_hash", "embedding")


def find_statistics(warehouse: Warehouse) -> Statistics | None:
    """Find the newest statistics that were counted by the run date, by the rules in use."""
    if not warehouse.exists(TEXT_STATISTICS):
        return None
    conf = warehouse.conf
    rows = warehouse.read(TEXT_STATISTICS)
    counts = (
        rows.where(F.col("kind") == CATALOGUE)
        .where(F.col("run_date") <= F.lit(conf.run_date))
        .where(F.startswith("statistics_version", F.lit(f"{reader_version(conf.tree)}-")))
        .orderBy(F.desc("run_date"))
        .limit(1)
        .collect()
    )
    return _make_statistics(rows, counts[0]) if counts else None


def require_statistics(warehouse: Warehouse) -> Statistics:
    """Find the statistics in force.

    Raises:
        MissingStatisticsError: there are none.
    """
    statistics = find_statistics(warehouse)
    if statistics is None:
        raise MissingStatisticsError(
            "table text_statistics holds no count for this conf's language by "
            f"{warehouse.conf.run_date}; run `counterpoise compare_pairs` for this conf first"
        )
    return statistics


def remove_old_versions(warehouse: Warehouse, table: Table, column: str, in_use: str) -> list[str]:
    """Remove the rows of old versions: those beyond the `features.kept_versions` newest.

    Args:
        column: holds the version.
        in_use: a version that stays, whatever its age.

    Returns:
        The versions removed.
    """
    limit = warehouse.conf.tree.features.kept_versions
    held = warehouse.list_values(table, column)
    if held is not None and len(held | {in_use}) <= limit:
        return []
    ages = (
        warehouse.read_at(table, warehouse.read_version(table))
        .groupBy(column)
        .agg(F.max("run_date").alias("newest"))
    )
    newest_first = [r[column] for r in ages.orderBy(F.desc("newest"), column).collect()]
    others = [version for version in newest_first if version != in_use]
    old = others[limit - 1 :]
    if old:
        listed = ", ".join(f"'{version}'" for version in old)
        nothing = warehouse.spark.createDataFrame([], warehouse.read(table).schema)
        warehouse.replace(table, nothing, f"{column} IN ({listed})")
    return old


def _make_statistics(rows: DataFrame, count: Row) -> Statistics:
    of_run = rows.where(F.col("run_date") == F.lit(count["run_date"]))
    return Statistics(count["statistics_version"], of_run, count["items"], count["tokens"])
