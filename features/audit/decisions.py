"""From the evidence to a decision, and the audited view of the labels.

path                  the audited grade
untested              kept: too little engagement to test, and the model was not asked
consistent            kept: neither engagement nor model speaks against the grade
unread                kept: engagement contradicts, and no model read the pair
model_agrees          kept: engagement contradicts, the model gives the human grade
model_and_engagement  the model's grade, in the direction that the engagement says (by conf)
taxonomy_higher       the item's type fits the query: the higher one of human and model grade
taxonomy_lower        it does not fit: the lower one
taxonomy_unknown      kept: the query's types are not known, or the share lies between the bounds

The order engagement, model, taxonomy is that of a third-party summary of arXiv 2605.27704;
the model as a detector of its own, and `model_and_engagement`, are ours.
"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.audit import AuditConf, TaxonomyConf
from features.audit.evidence import UNIT
from features.contracts import LABEL_AUDIT


def with_decisions(units: DataFrame, conf: AuditConf) -> DataFrame:
    """Add flagged_by, path, audited_grade and decision.

    Args:
        units: grade, contradicts, p_value, model_grade, model_p_ge_1, model_p_ge_2 (null where the
            model did not read), type_share, type_votes.
    """
    grade, model = F.col("grade"), F.col("model_grade")
    audited = (
        F.when(F.col("path") == "model_and_engagement", model)
        .when(F.col("path") == "taxonomy_higher", F.greatest(grade, model))
        .when(F.col("path") == "taxonomy_lower", F.least(grade, model))
        .otherwise(grade)
    )
    decision = (
        F.when(F.col("audited_grade") > grade, "raised")
        .when(F.col("audited_grade") < grade, "lowered")
        .otherwise("kept")
    )
    return (
        units.withColumn("flagged_by", _flagged_by(conf))
        .withColumn("path", _decide_path(conf))
        .withColumn("audited_grade", audited)
        .withColumn("decision", decision)
    )


def audit_rows(pairs: DataFrame, decided: DataFrame, run_date: date) -> DataFrame:
    """Return one row per pair as in LABEL_AUDIT, with the evidence and the decision of its unit.

    Args:
        pairs: of `features.audit.evidence.audited_pairs`.
        decided: the units of `with_decisions`.
    """
    rows = pairs.select("query_id", "item_id", "text_key", "grade", "labeler_version").join(
        decided, on=list(UNIT), how="left"
    )
    named = {"run_date": F.lit(run_date), "simulated_engagement": F.col("simulated")}
    return LABEL_AUDIT.conform(rows.withColumns(named))


def latest_audit(audit: DataFrame, run_date: date) -> DataFrame:
    """Select the rows of label_audit that hold at a run date: the newest of each
    pair and version.
    """
    key = ["query_id", "item_id", "labeler_version"]
    newest = (
        audit.where(F.col("run_date") <= F.lit(run_date))
        .groupBy(*key)
        .agg(F.max("run_date").alias("run_date"))
    )
    return audit.join(newest, on=[*key, "run_date"], how="left_semi")


def audited_labels(labels: DataFrame, audit: DataFrame) -> DataFrame:
    """Return the labels with the audit's grades in place of the human ones that it changed.

    The rows and columns are those of `labels`, and `original_grade`; a grade that was changed since
    the audit read it stands. P(grade >= k) of a changed label are 0 or 1.

    Args:
        labels: rows of relevance_labels, of any source.
        audit: of `latest_audit`, or the rows of one run of label_audit.
    """
    changed = audit.where("audited_grade != grade").select(
        "query_id",
        "item_id",
        "labeler_version",
        F.col("grade").alias("_seen"),
        F.col("audited_grade").alias("_audited"),
        F.lit("human").alias("source"),
    )
    key = ["query_id", "item_id", "labeler_version", "source"]
    columns = [name for name in labels.columns if name not in ("grade", "p_ge_1", "p_ge_2")]
    applies = F.coalesce(F.col("_seen") == F.col("grade"), F.lit(False))
    values = {
        "grade": F.when(applies, F.col("_audited")).otherwise(F.col("grade")),
        "p_ge_1": _or_hard(applies, "p_ge_1", 1),
        "p_ge_2": _or_hard(applies, "p_ge_2", 2),
    }
    view = labels.join(changed, on=key, how="left").select(
        *columns,
        *(value.alias(name) for name, value in values.items()),
        F.col("grade").alias("original_grade"),
    )
    return view.select(*labels.columns, "original_grade")


def _flagged_by(conf: AuditConf) -> Column:
    by_engagement = F.col("contradicts") != 0
    doubted = human_probability() <= conf.reread.doubt
    by_model = F.coalesce(doubted, F.lit(False)) & (F.lit(conf.reread.scope) == "all")
    return (
        F.when(by_engagement & by_model, "both")
        .when(by_engagement, "engagement")
        .when(by_model, "model")
        .otherwise("none")
    )


def human_probability() -> Column:
    """Return the model's probability of the human grade; null where it did not read the pair."""
    p_ge_1, p_ge_2 = F.col("model_p_ge_1"), F.col("model_p_ge_2")
    return (
        F.when(F.col("grade") == 0, 1 - p_ge_1)
        .when(F.col("grade") == 1, p_ge_1 - p_ge_2)
        .otherwise(p_ge_2)
    )


def _decide_path(conf: AuditConf) -> Column:
    model = F.col("model_grade")
    same_way = F.signum(model - F.col("grade")) == F.col("contradicts")
    agreeing = F.lit(conf.agreeing) & (F.col("contradicts") != 0) & same_way
    unflagged = F.col("flagged_by") == "none"
    return (
        F.when(unflagged & F.col("p_value").isNull() & model.isNull(), "untested")
        .when(unflagged, "consistent")
        .when(model.isNull(), "unread")
        .when(model == F.col("grade"), "model_agrees")
        .when(agreeing, "model_and_engagement")
        .when(_type_fits(conf.taxonomy), "taxonomy_higher")
        .when(_type_misfits(conf.taxonomy), "taxonomy_lower")
        .otherwise("taxonomy_unknown")
    )


def _type_fits(conf: TaxonomyConf) -> Column:
    return _is_type_known(conf) & (F.col("type_share") >= conf.fits_from)


def _type_misfits(conf: TaxonomyConf) -> Column:
    return _is_type_known(conf) & (F.col("type_share") <= conf.misfit_to)


def _is_type_known(conf: TaxonomyConf) -> Column:
    return F.coalesce(F.col("type_votes") >= conf.min_evidence, F.lit(False))


def _or_hard(applies: Column, name: str, grade: int) -> Column:
    hard = (F.col("_audited") >= grade).cast("double")
    return F.when(applies, hard).otherwise(F.col(name))
