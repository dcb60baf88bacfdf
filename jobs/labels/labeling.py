"""Labels a plan of texts chunk by chunk; each chunk is in the table before the next one begins."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from features.contracts import LABEL_CHUNKS, QUARANTINE, RELEVANCE_LABELS, TEXT_EMBEDDINGS
from features.labels.judged import source_of
from features.labels.plan import Plan, label_rows, quarantine_rows, with_vectors
from jobs.delta.commits import RivalRunError
from jobs.labels.labelers import Row, labeler_dir, read_optional
from jobs.platform.warehouse import Warehouse
from model.labelers.deployed import read_deployed_encoder
from udfs.label import label_udf

UNANSWERED = "labeler_gave_no_answer"
COUNTS = ("text_pairs", "labels", "refused", "suspected", "grade_0", "grade_1", "grade_2")


@dataclass
class Totals:
    """What a run did so far: the COUNTS summed over its chunks, and pairs without a label."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    quarantined: int = 0
    chunks: int = 0
    rate: float = 0.0
    """Pairs of texts read a second, commits included."""

    def add_chunk(self, figures: Row) -> None:
        """Add the figures of a chunk."""
        self.counts = {name: self.counts[name] + int(figures[name] or 0) for name in COUNTS}
        self.chunks += 1


@dataclass(frozen=True)
class Chunks:
    """One run of one labeler version over planned texts.

    Attributes:
        warehouse: where labels go.
        version: row of labeler_versions.
        say: prints a line of progress.
    """

    warehouse: Warehouse
    version: Row
    say: Callable[[str], None]

    def run(self, texts: DataFrame, plan: Plan, totals: Totals) -> None:
        """Label the chunks in their order until all are done or the budget is spent.

        The minutes of the budget count from here: planning takes none of them.

        Args:
            texts: of `features.labels.plan.with_chunk`, persisted: a chunk is read at a time.
            totals: filled as chunks are committed.
        """
        pace = Pace(plan.sizes, self.warehouse.conf.tree.labeling.budget_minutes)
        for number, size in enumerate(plan.sizes):
            if not pace.allows_chunk(size):
                self.say(f"budget of {pace.minutes:g} minutes: {pace.left:,} pairs of texts wait")
                return
            self._refuse_rival(totals)
            rows = self._answer_texts(texts.where(F.col("chunk") == number))
            try:
                self.commit(rows, totals)
            finally:
                rows.unpersist()
            self.say(pace.count_chunk(size))
            totals.rate = pace.rate

    def commit(self, answered: DataFrame, totals: Totals) -> None:
        """Write the labels of answered texts, and quarantine those without an answer."""
        wh, version = self.warehouse, str(self.version["labeler_version"])
        labelled = answered.where("reason IS NULL")
        prompt, simulated = self.version["prompt_hash"], bool(self.version["simulated"])
        source = source_of(str(self.version["kind"]))
        labels = label_rows(labelled, source, version, prompt, wh.conf.run_date, simulated)
        figures = self._sum_figures(answered)
        written = wh.append(RELEVANCE_LABELS, labels, self._name_writer(), totals.chunks, figures)
        if figures["refused"]:
            pairs = answered.where("reason IS NOT NULL").select(
                F.explode("members").alias("pair"), "reason"
            )
            bad = quarantine_rows(
                pairs.select("pair.*", "reason"), UNANSWERED, version, wh.conf.run_date
            )
            number = totals.chunks
            totals.quarantined += wh.append(QUARANTINE, bad, self._name_writer(), number).rows
        chunk = LABEL_CHUNKS.local_frame(wh.spark, [self._make_chunk_row(figures, written.version)])
        wh.append(LABEL_CHUNKS, chunk, self._name_writer(), totals.chunks)
        totals.add_chunk(figures)

    def complete_chunks(self) -> None:
        """Add the rows of label_chunks that are missing since a run was killed after a chunk's
        labels.

        The commit of the labels carries the figures of its chunk.
        """
        wh = self.warehouse
        ours = {
            "job": wh.report.job,
            "run_date": wh.conf.run_date.isoformat(),
            "labeler_version": self.version["labeler_version"],
        }
        chunks = [
            self._make_chunk_row(figures, commit.version)
            for commit in wh.list_commits(RELEVANCE_LABELS)
            if (figures := commit.metadata.get("figures"))
            and ours.items() <= {**commit.metadata, **figures}.items()
        ]
        if chunks:
            wh.merge(LABEL_CHUNKS, LABEL_CHUNKS.local_frame(wh.spark, chunks), update=False)

    def _answer_texts(self, texts: DataFrame) -> DataFrame:
        """Answer the texts of a chunk; longest last, so that batches pad little."""
        conf = self.warehouse.conf.tree
        folder = labeler_dir(self.warehouse, str(self.version["labeler_version"]))
        partitions = conf.labeling.partitions or conf.spark.shuffle_partitions
        label = label_udf(folder, partitions)
        texts = with_vectors(texts, self._read_vectors(folder))
        length = F.length("query_text") + F.length("item_text")
        return (
            texts.repartition(partitions, "item_key")
            .sortWithinPartitions(length, "text_key", "item_key")
            .withColumn("said", label("query_text", "item_text", "query_vector", "item_vector"))
            .select("members", "said.*")
            .persist()
        )

    def _read_vectors(self, folder: Path) -> DataFrame | None:
        """Read stored embeddings of the labeler's encoder; None where it reads none or none are."""
        encoder = read_deployed_encoder(folder)
        stored = None if encoder is None else read_optional(self.warehouse, TEXT_EMBEDDINGS)
        return None if stored is None else stored.where(F.col("encoder_version") == F.lit(encoder))

    def _sum_figures(self, answered: DataFrame) -> Row:
        size = F.when(F.col("reason").isNull(), F.size("members")).otherwise(0)
        by_grade = {g: F.sum(F.when(F.col("grade") == g, size).otherwise(0)) for g in range(3)}
        sums = answered.agg(
            F.count("*").alias("text_pairs"),
            F.coalesce(F.sum(size), F.lit(0)).alias("labels"),
            F.count_if(F.col("reason").isNotNull()).alias("refused"),
            F.count_if("suspected").alias("suspected"),
            *(F.coalesce(by_grade[g], F.lit(0)).alias(f"grade_{g}") for g in range(3)),
        ).collect()[0]
        return {**sums.asDict(), "labeler_version": self.version["labeler_version"]}

    def _make_chunk_row(self, figures: Row, labels_version: int) -> Row:
        """Make the row of label_chunks of a commit of relevance_labels."""
        run_date = self.warehouse.conf.run_date
        return {**figures, "run_date": run_date, "labels_version": labels_version}

    def _name_writer(self) -> str:
        """Name the run to Delta: two runs that start from one table share the name, and the second
        one's commit is refused.
        """
        report = self.warehouse.report
        start = report.inputs[RELEVANCE_LABELS.name]
        return f"{report.job}/{self.version['labeler_version']}/{start}"

    def _refuse_rival(self, totals: Totals) -> None:
        """Refuse to go on beside a run that started later and labels the same pairs.

        Raises:
            RivalRunError: another run committed since this one began.
        """
        start = self.warehouse.report.inputs[RELEVANCE_LABELS.name]
        job = self.warehouse.report.job
        since = takewhile(
            lambda c: c.version > start, self.warehouse.list_commits(RELEVANCE_LABELS)
        )
        if sum(c.metadata.get("job") == job for c in since) > totals.chunks:
            raise RivalRunError(
                f"another run of {job} writes to {RELEVANCE_LABELS.name}; let only one run"
            )


class Pace:
    """Rate, time left, and whether the budget allows another chunk."""

    def __init__(self, sizes: tuple[int, ...], minutes: float | None) -> None:
        self.minutes, self._limited = minutes or 0.0, minutes is not None
        self._total, self._done = sum(sizes), 0
        self._started = time.monotonic()
        self.rate = 0.0

    @property
    def left(self) -> int:
        """Pairs of texts that are not labelled yet."""
        return self._total - self._done

    def allows_chunk(self, size: int) -> bool:
        """Return whether a chunk of this size is likely to end in time; the first one is always
        begun.
        """
        if not self._limited or not self._done:
            return True
        spent = time.monotonic() - self._started
        return spent * (1 + size / self._done) <= 60 * self.minutes

    def count_chunk(self, size: int) -> str:
        """Count a finished chunk, and return the line of progress."""
        self._done += size
        seconds = time.monotonic() - self._started
        self.rate = self._done / max(seconds, 1e-9)
        left = timedelta(seconds=round(self.left / self.rate))
        return (
            f"labelled {self._done:,} of {self._total:,} pairs of texts, {self.rate:,.0f}/s, "
            f"{left} left"
        )


def make_printer() -> Callable[[str], None]:
    """Make a function that prints lines of progress below the line of the step."""
    console = Console(soft_wrap=True)
    return lambda line: console.print(f"    {line}", markup=False, highlight=False)
