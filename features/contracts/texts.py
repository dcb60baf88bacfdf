"""What is kept of texts by their content: readings, embeddings, word statistics, compared pairs."""

from features.contracts.table import Table, declare_optional, declare_required
from features.declarations import FIT_LEVEL

_READING = (
    ("tokens", "array<string>", "all tokens in their order; of an item of title, brand and type"),
    ("head", "string", "word that says what is meant; empty for none"),
    ("numbers", "array<string>", "distinct tokens that are numbers"),
    ("colours", "array<string>", "colours: the item's own, else those that the text names"),
    ("sizes", "array<string>", "sizes: the item's own, else those that the text names"),
    ("brand", "array<string>", "distinct tokens of the item's brand"),
    ("own_colour", "string", "tokens of the item's own colour, joined; empty for none"),
    ("own_size", "string", "tokens of the item's own size, joined; empty for none"),
)
READING_COLUMNS: tuple[str, ...] = tuple(name for name, _, _ in _READING)

TEXT_EMBEDDINGS = Table(
    name="text_embeddings",
    grain="one row per distinct text and encoder version",
    columns=declare_required(
        [
            ("text_hash", "string", "sha256 of the normalised text"),
            ("encoder_version", "string", "hash of the encoder's weights and settings"),
            ("embedding", "array<float>", "unit-length sentence embedding"),
        ]
    )
    + declare_optional(
        [("run_date", "date", "run that embedded the text first; null: before it was kept")]
    ),
    key=("text_hash", "encoder_version"),
    cluster_by=("text_hash",),
)

TEXTS = Table(
    name="texts",
    grain="one row per distinct text of a query or an item, and reader version",
    columns=declare_required(
        [
            ("text_hash", "string", "sha256 of the query's text, or of all texts of the item"),
            ("reader_version", "string", "hash of the reading's rules and language"),
            ("run_date", "date", "run that read the text first"),
            *_READING,
        ]
    ),
    key=("text_hash", "reader_version"),
    cluster_by=("reader_version", "text_hash"),
)

TEXT_STATISTICS = Table(
    name="text_statistics",
    grain="one row per run that counted the catalogue's words, kind and value",
    columns=declare_required(
        [
            ("run_date", "date", "run that counted"),
            ("statistics_version", "string", "hash of all rows of the run"),
            ("kind", "string", "catalogue, item, term, colour or size"),
            ("value", "string", "the term, colour or size; of kind item the hash of its text"),
            ("items", "long", "items that have it (count)"),
            ("tokens", "long", "tokens of all items (count); 0 but for the catalogue"),
        ]
    ),
    key=("run_date", "kind", "value"),
    cluster_by=("run_date",),
)

TEXT_PAIRS = Table(
    name="text_pairs",
    grain="one row per distinct pair of texts and comparer version",
    columns=declare_required(
        [
            ("query_hash", "string", "text_hash of the query's text"),
            ("item_hash", "string", "text_hash of the item's texts"),
            (
                "comparer_version",
                "string",
                "hash of the comparison's rules, reader, word statistics and encoder",
            ),
            ("run_date", "date", "run that compared the pair first"),
            *((f.name, f.sql_type, f.description) for f in FIT_LEVEL),
        ]
    ),
    key=("query_hash", "item_hash", "comparer_version"),
    cluster_by=("comparer_version", "query_hash"),
)
