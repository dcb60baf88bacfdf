"""The audit of human grades, and the judgments of raters."""

from features.contracts.table import Constraint, Table, declare_optional, declare_required

_PAIR = (("query_id", "string", "query"), ("item_id", "string", "item"))

LABEL_AUDIT = Table(
    name="label_audit",
    grain="one row per run and human-graded query and item: the decision and its evidence",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that decided"),
                *_PAIR,
                ("labeler_version", "string", "version of the human label that was audited"),
                ("grade", "int", "the human grade, as it stands in relevance_labels"),
                ("audited_grade", "int", "the grade after the audit"),
                ("decision", "string", "kept, raised or lowered"),
                ("path", "string", "which step decided, see features.audit.decisions"),
                ("flagged_by", "string", "none, engagement, model or both"),
                ("simulated_engagement", "boolean", "some of the engagement is simulated"),
                ("impressions", "long", "times shown, in all regions (count)"),
                ("clicks", "long", "clicks, in all regions (count)"),
                ("carts", "long", "put into the cart, in all regions (count)"),
                ("purchases", "long", "bought, in all regions (count)"),
            ]
        ),
        *declare_optional(
            [
                ("expected_clicks", "double", "clicks of such a pair of this grade; null: none"),
                ("expected_carts", "double", "carts among its clicks at the grade's rate"),
                ("expected_purchases", "double", "purchases among its carts at the grade's rate"),
                ("engagement_z", "double", "combined evidence; positive: too much for the grade"),
                ("p_value", "double", "of the combined evidence; null: not tested"),
                ("q_value", "double", "Benjamini-Hochberg over all tested pairs"),
                ("model_version", "string", "labeler that read the pair again; null: not read"),
                ("model_held_out", "boolean", "that labeler never saw a grade of this query"),
                ("model_grade", "int", "its most probable grade"),
                ("model_p_ge_1", "double", "its P(grade >= 1)"),
                ("model_p_ge_2", "double", "its P(grade >= 2)"),
                ("item_type", "string", "type of the item"),
                ("type_share", "double", "share of the query's type votes that this type has"),
                ("type_votes", "double", "votes for any type, the pair's own left out"),
            ]
        ),
    ),
    key=("run_date", "query_id", "item_id"),
    checks=(
        Constraint("grades_in_range", "grade IN (0, 1, 2) AND audited_grade IN (0, 1, 2)"),
        Constraint("decision_known", "decision IN ('kept', 'raised', 'lowered')"),
        Constraint(
            "decision_true",
            "decision = CASE WHEN audited_grade > grade THEN 'raised' "
            "WHEN audited_grade < grade THEN 'lowered' ELSE 'kept' END",
        ),
        Constraint("flag_known", "flagged_by IN ('none', 'engagement', 'model', 'both')"),
    ),
    cluster_by=("run_date", "query_id"),
)

JUDGMENT_SAMPLE = Table(
    name="judgment_sample",
    grain="one row per run and pair that raters are asked for",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that sampled"),
                *_PAIR,
                ("query_text", "string", "what the rater reads of the query"),
                ("title", "string", "what the rater reads of the item"),
                ("region", "string", "region of the query"),
                ("reason", "string", "uncertain, contradicted or coverage"),
                ("stratum", "string", "region, head or tail, query length, and grade"),
                ("priority", "double", "worth of a rater's time within the reason, larger first"),
            ]
        ),
        *declare_optional(
            [
                ("grade", "int", "grade before judging; null: none"),
                ("entropy", "double", "of the labeler's grade probabilities (nats)"),
                ("q_value", "double", "of the engagement against the human grade"),
            ]
        ),
    ),
    key=("run_date", "query_id", "item_id"),
    checks=(Constraint("reason_known", "reason IN ('uncertain', 'contradicted', 'coverage')"),),
    cluster_by=("run_date",),
)

RATER_ANSWERS = Table(
    name="rater_answers",
    grain="one row per run, pair and rater: what the rater said",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that sampled the pair"),
                *_PAIR,
                ("rater", "string", "who answered"),
                ("grade", "int", "0 irrelevant, 1 moderately relevant, 2 highly relevant"),
            ]
        ),
    ),
    key=("run_date", "query_id", "item_id", "rater"),
    checks=(Constraint("grade_in_range", "grade IN (0, 1, 2)"),),
    cluster_by=("run_date",),
)

RESOLVED_JUDGMENTS = Table(
    name="resolved_judgments",
    grain="one row per run and answered pair: the grade that its raters' answers make",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that sampled the pair"),
                *_PAIR,
                ("raters", "int", "answers (count)"),
                ("spread", "int", "highest answer less the lowest (grades)"),
                ("mean_grade", "double", "mean of the answers"),
                ("rule", "string", "conf rule that resolved"),
                ("outcome", "string", "resolved, too few raters, or spread"),
            ]
        ),
        *declare_optional([("grade", "int", "resolved grade; null: not resolved")]),
    ),
    key=("run_date", "query_id", "item_id"),
    checks=(
        Constraint("grade_in_range", "grade IS NULL OR grade IN (0, 1, 2)"),
        Constraint("outcome_known", "outcome IN ('resolved', 'too few raters', 'spread')"),
        Constraint("resolved_has_grade", "(outcome = 'resolved') = (grade IS NOT NULL)"),
    ),
    cluster_by=("run_date",),
)
