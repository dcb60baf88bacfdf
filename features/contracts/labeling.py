"""Labeler versions, what they were fitted on, what the gate decided, and the chunks labelled."""

from features.contracts.table import Constraint, Table, declare_optional, declare_required

_VERSION = ("labeler_version", "string", "version of the labeler, its correction included")

LABELER_VERSIONS = Table(
    name="labeler_versions",
    grain="one row per labeler that was fitted",
    columns=(
        *declare_required(
            [
                _VERSION,
                ("kind", "string", "kind of labeler, as in conf labeler.kind"),
                ("run_date", "date", "run that fitted it"),
                ("conf_key", "string", "hash of the conf that it was fitted under"),
                ("data_key", "string", "hash of the human grades that it was fitted and chosen on"),
                ("folder", "string", "labeler directory, under storage.root"),
                ("fit_pairs", "bigint", "pairs that it was fitted on (count)"),
                ("choose_pairs", "bigint", "pairs that chose (count)"),
                ("fitted_mix", "array<double>", "shares of grade 0, 1, 2 among the fitted pairs"),
                ("production_mix", "array<double>", "shares of grade 0, 1, 2 in production"),
                ("corrected", "boolean", "answers are corrected from the one to the other"),
                ("metrics", "string", "figures on the pairs that chose, as JSON"),
                ("simulated", "boolean", "some of its human grades are simulated"),
            ]
        ),
        *declare_optional([("prompt_hash", "string", "hash of the prompt; null: it reads none")]),
    ),
    key=("labeler_version",),
    cluster_by=("labeler_version",),
)

LABELER_QUERIES = Table(
    name="labeler_queries",
    grain="one row per labeler version and query text that it was fitted or chosen on",
    columns=declare_required(
        [
            _VERSION,
            ("text_key", "string", "query text, trimmed and in lower case"),
            ("role", "string", "fit or choose"),
        ]
    ),
    key=("labeler_version", "text_key"),
    checks=(Constraint("role_known", "role IN ('fit', 'choose')"),),
    cluster_by=("labeler_version",),
)

LABELER_DECISIONS = Table(
    name="labeler_decisions",
    grain="one row per decision on a labeler version; the last one of a version holds",
    columns=(
        *declare_required(
            [
                ("decision_no", "bigint", "number of the decision, from 1"),
                _VERSION,
                ("run_date", "date", "run that decided"),
                ("decision", "string", "admitted, refused or revoked"),
                ("reasons", "array<string>", "what spoke against it, or who revoked it and why"),
                ("metrics", "string", "figures on the gold set, as JSON"),
                ("gold_pairs", "bigint", "pairs of the gold set (count)"),
                ("gold_queries", "bigint", "query texts of the gold set (count)"),
            ]
        ),
        *declare_optional(
            [("compared_with", "string", "version that was admitted before; null: none")]
        ),
    ),
    key=("decision_no",),
    checks=(
        Constraint("decision_known", "decision IN ('admitted', 'refused', 'revoked')"),
        Constraint("reasoned", "decision = 'admitted' OR size(reasons) > 0"),
    ),
    cluster_by=("decision_no",),
)

LABEL_CHUNKS = Table(
    name="label_chunks",
    grain="one row per chunk of pairs that label_pairs committed",
    columns=declare_required(
        [
            ("run_date", "date", "run that labelled"),
            _VERSION,
            ("labels_version", "bigint", "version of relevance_labels that the chunk made"),
            ("text_pairs", "bigint", "distinct pairs of texts read by the labeler (count)"),
            ("labels", "bigint", "labels of queries and items that came of them (count)"),
            ("refused", "bigint", "pairs of texts without an answer (count)"),
            ("suspected", "bigint", "pairs of texts that look like an order to the reader (count)"),
            ("grade_0", "bigint", "labels of grade 0 (count)"),
            ("grade_1", "bigint", "labels of grade 1 (count)"),
            ("grade_2", "bigint", "labels of grade 2 (count)"),
        ]
    ),
    key=("run_date", "labeler_version", "labels_version"),
    cluster_by=("run_date",),
)
