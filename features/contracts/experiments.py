"""Results of experiments: every training's figures, and the arms compared."""

from features.contracts.table import Table, declare_optional, declare_required

EXPERIMENT_RESULTS = Table(
    name="experiment_results",
    grain="one row per experiment, data set, arm, seed, split, metric and region",
    columns=(
        *declare_required(
            [
                ("experiment", "string", "name; a quick profile ends in -quick"),
                ("data", "string", "data set of the experiment"),
                ("arm", "string", "arm"),
                ("seed", "long", "seed of the training"),
                ("split", "string", "validation or test"),
                ("metric", "string", "name with its cut-off"),
                ("region", "string", "region, all, or unknown"),
            ]
        ),
        *declare_optional([("value", "double", "the figure; null: it says nothing here")]),
        *declare_required(
            [
                ("units", "long", "queries or sessions behind it; 0 for a picked weight"),
                ("simulated", "boolean", "engagement or grades of the data set are simulated"),
                ("training", "string", "hash of all that decides the training's predictions"),
                ("parameters", "long", "trained parameters (count)"),
                ("snapshot_version", "string", "snapshot trained and judged on"),
                ("conf_hash", "string", "hash of the training's resolved conf"),
                ("code_version", "string", "version of the package and hash of its source"),
            ]
        ),
    ),
    key=("experiment", "data", "arm", "seed", "split", "metric", "region"),
    cluster_by=("experiment", "metric"),
)

EXPERIMENT_COMPARISONS = Table(
    name="experiment_comparisons",
    grain="one row per experiment, data set or mean over its draws, arm, metric and region on test",
    columns=(
        *declare_required(
            [
                ("experiment", "string", "name; a quick profile ends in -quick"),
                ("data", "string", "data set of the experiment"),
                ("arm", "string", "arm"),
                ("metric", "string", "name with its cut-off"),
                ("region", "string", "region, all, or unknown"),
                ("seeds", "long", "trainings behind it (count)"),
                ("units", "long", "queries or sessions behind it"),
                ("reference", "string", "arm that the difference is taken from"),
                ("verdict", "string", "what the interval of the difference says"),
                ("simulated", "boolean", "engagement or grades of the data set are simulated"),
            ]
        ),
        *declare_optional(
            [
                ("value", "double", "mean over the seeds"),
                ("low", "double", "lower end of its interval over units and seeds"),
                ("high", "double", "upper end of it"),
                ("difference", "double", "paired difference from the reference"),
                ("difference_low", "double", "lower end of its interval"),
                ("difference_high", "double", "upper end of it"),
                (
                    "smallest_detectable",
                    "double",
                    "true difference that would be seen in 8 of 10 runs, two-sided",
                ),
            ]
        ),
    ),
    key=("experiment", "data", "arm", "metric", "region"),
    cluster_by=("experiment", "metric"),
)
