"""Trials of weights, and who decided which weights and which model are in force."""

from features.contracts.table import Constraint, Table, declare_optional, declare_required

_RUN = ("run_date", "date", "run whose scores were ranked anew")
_TRIAL = ("trial", "string", "name of the trial")

SCORE_TRIALS = Table(
    name="score_trials",
    grain="one row per trial, query and candidate item, ranked by the trial's weights",
    columns=declare_required(
        [
            _RUN,
            _TRIAL,
            ("query_id", "string", "query"),
            ("region", "string", "region"),
            ("item_id", "string", "item"),
            ("value", "float", "value under the weights of the trial"),
            ("rank", "int", "rank by that value within the query, from 1"),
        ]
    ),
    key=("run_date", "trial", "query_id", "item_id"),
    checks=(Constraint("rank_from_one", "rank >= 1"),),
    cluster_by=("run_date", "trial"),
)

WEIGHT_TRIALS = Table(
    name="weight_trials",
    grain="one row per run date and trial of weights; its rows are in score_trials",
    columns=declare_required(
        [
            _RUN,
            _TRIAL,
            ("weights", "string", "weights by region, as JSON"),
            ("weights_version", "string", "hash of the weights of all regions"),
            ("against", "string", "version of the weights that the scores were ranked by"),
            ("model_version", "string", "model whose probabilities were ranked"),
            ("figures", "string", "comparison with the scores, as JSON"),
        ]
    ),
    key=("run_date", "trial"),
    cluster_by=("run_date",),
)

WEIGHT_DECISIONS = Table(
    name="weight_decisions",
    grain="one row per decision on the weights in force; the last one up to a run date holds",
    columns=(
        *declare_required(
            [
                ("decision_no", "bigint", "number of the decision, from 1"),
                ("run_date", "date", "first run date that is scored by it"),
                ("decision", "string", "adopted, or tuned: back to those of tune_value_model"),
                ("decided_by", "string", "who decided"),
                ("why", "string", "reason given"),
                ("decided_at", "timestamp", "when (UTC)"),
            ]
        ),
        *declare_optional(
            [
                ("trial", "string", "name of the trial that was adopted"),
                ("weights", "string", "weights by region, as JSON"),
                ("weights_version", "string", "hash of the weights of all regions"),
            ]
        ),
    ),
    key=("decision_no",),
    checks=(
        Constraint("decision_known", "decision IN ('adopted', 'tuned')"),
        Constraint("weights_given", "decision = 'tuned' OR weights IS NOT NULL"),
    ),
    cluster_by=("decision_no",),
)

MODEL_DECISIONS = Table(
    name="model_decisions",
    grain="one row per decision on a ranker; the last one of a version up to a run date holds",
    columns=(
        *declare_required(
            [
                ("decision_no", "bigint", "number of the decision, from 1"),
                ("run_date", "date", "run that decided"),
                ("model_version", "string", "version of the ranker"),
                ("decision", "string", "admitted, refused or revoked"),
                ("decided_by", "string", "gate, or who revoked it"),
                ("reasons", "array<string>", "what spoke against it"),
                ("metrics", "string", "figures on validation queries, as JSON"),
                ("criteria", "string", "hash of the conf and of the model that it was held to"),
            ]
        ),
        *declare_optional([("compared_with", "string", "version in force before; null: none")]),
    ),
    key=("decision_no",),
    checks=(
        Constraint("decision_known", "decision IN ('admitted', 'refused', 'revoked')"),
        Constraint("reasoned", "decision = 'admitted' OR size(reasons) > 0"),
    ),
    cluster_by=("decision_no",),
)
