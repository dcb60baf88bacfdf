"""Home Depot: real queries, titles, brands and human grades; engagement simulated.

Files in `source.path`: homedepot_pairs.csv.gz (id, product_uid, product_title, search_term,
relevance) and homedepot_brands.csv.gz (an index, product_uid as a float, brand), CSV in UTF-8.
The grade of the mean rating, which is 1 to 3: up to 1.5 is 0, up to 2.34 is 1, above is 2.
Every query exists in every region of conf, with the same judgments.

What is real: query text, title, brand, rating and grade. What is derived from the title by rule:
item type, colour, size, material (see `titles`). What is drawn: price, popularity, listing day
and all engagement, over the judged items of a query and fillers, popular cheap items of other
types that share no word with the query; their grade 0 is an assumption (source `assumed`).
The rating judges; engagement follows a relevance that is drawn for each rating (see `raters`). As
far as that model of raters holds, clicks do not carry the raters' error. `true_grade` of
market_truth is the grade of the rating, the only real one, with the raters' error in it; its
probabilities follow the drawn relevance.
Items, impressions and fillers are marked simulated, queries and human judgments are not.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.source import HomeDepotSource
from features.contracts import MARKET_PARAMETERS, MARKET_TRUTH
from features.quality.typed import MALFORMED
from features.text.texts import text_key
from jobs.platform.plans import keep_frame
from jobs.sources.base import (
    RawFrames,
    files_fingerprint,
    query_key,
    require_columns,
    require_file,
    require_section,
)
from jobs.sources.files import read_delimited
from jobs.sources.market import MARKET_VERSION
from jobs.sources.market.fillers import draw_fillers, draw_uniform
from jobs.sources.titles import colour_in, head_noun, material_in, size_in

if TYPE_CHECKING:
    from jobs.sources.market.engine import MarketEngine
    from udfs.market.world import World

DATASET = "homedepot"
PAIRS_FILE, BRANDS_FILE = "homedepot_pairs.csv.gz", "homedepot_brands.csv.gz"
_COLUMNS = {
    PAIRS_FILE: ("product_uid", "product_title", "search_term", "relevance"),
    BRANDS_FILE: ("product_uid", "brand"),
}
_NO_BRAND = ("n/a", "unbranded", "")


def read(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """Read the four raw frames; draw the engagement's planted truth and its parameters.

    Items, texts and the pairs that compete are kept on the workers' disks; the texts are counted
    on the way.

    Raises:
        SourceError: a file or column is missing, or the delimiter is not a comma.
    """
    # These load pandas, which a night that asks for the fingerprint alone does without.
    from jobs.sources.market.engine import Market, MarketEngine
    from jobs.sources.market.parameters import list_parameters
    from udfs.market.rows import ITEMS, LATENTS, offered_rows
    from udfs.market.world import World

    source = require_section(conf, HomeDepotSource)
    world = World(source, conf.tree.regions, conf.tree.seed, conf.run_date)
    rated = _select_rated(_load_file(spark, source, PAIRS_FILE))
    described = _describe_items(rated, _select_brands(_load_file(spark, source, BRANDS_FILE)))
    items = keep_frame(
        described.mapInPandas(world.map_batches(offered_rows), f"{ITEMS}, {LATENTS}")
    )
    texts = keep_frame(numbered_texts(rated, world.seed))
    pairs = keep_frame(_draw_pairs(rated, texts, items, world))
    market = Market(texts, texts.count(), items, pairs)
    engine = MarketEngine(spark, world, market, conf.tree.spark.shuffle_partitions)
    return RawFrames(
        items=_mark_rows(items.drop("popularity", "quality", "cheapness"), simulated=True),
        queries=_mark_rows(
            engine.queries.select("query_id", "query_text", "region"), simulated=False
        ),
        impressions=_mark_rows(engine.draw_impressions(), simulated=True),
        judgments=_select_judgments(rated, pairs, engine, conf),
        extras={
            MARKET_TRUTH: engine.draw_truth(),
            MARKET_PARAMETERS: list_parameters(spark, world, items),
        },
    )


def fingerprint(conf: ResolvedConf) -> str:
    """Hash of the files' names, sizes and times, and the version of the drawn part."""
    files = files_fingerprint(
        _require_file(require_section(conf, HomeDepotSource), name) for name in _COLUMNS
    )
    return f"{files} market {MARKET_VERSION}"


def grade_of_rating(rating: Column) -> Column:
    """Grade a mean rating (double, 1 to 3): up to 1.5 is 0, up to 2.34 is 1, above is 2."""
    return (
        F.when(~rating.between(1, 3), F.lit(None).cast("int"))
        .when(rating <= 1.5, 0)
        .when(rating <= 2.34, 1)
        .when(rating > 2.34, 2)
    )


def numbered_texts(rated: DataFrame, seed: int) -> DataFrame:
    """Number the query texts 0 .. n - 1 in an order that is drawn: query_text, text_number.

    The order is made in one array: the set has some ten thousand texts.
    """
    texts = rated.where(F.col("query_text").isNotNull()).groupBy(
        text_key(F.col("query_text")).alias("key")
    )
    listed = texts.agg(F.min("query_text").alias("query_text")).agg(
        F.array_sort(
            F.collect_list(F.struct(draw_uniform(seed, "traffic", "key"), "query_text"))
        ).alias("texts")
    )
    return listed.select(F.posexplode("texts").alias("text_number", "text")).select(
        F.col("text_number").cast("long"), "text.query_text"
    )


def _select_rated(raw: DataFrame) -> DataFrame:
    """Select the pairs file under our names; ids and ratings still text, `grade` null where
    unreadable.
    """
    return raw.select(
        F.col("product_uid").alias("item_id"),
        F.col("product_title").alias("title"),
        F.col("search_term").alias("query_text"),
        F.col("relevance").alias("rating"),
        grade_of_rating(F.col("relevance").try_cast("double")).alias("grade"),
        MALFORMED,
    )


def _select_brands(raw: DataFrame) -> DataFrame:
    """Select item_id and brand; the file writes 100001 as 100001.0, and no brand
    in several ways.
    """
    brand = F.when(~F.lower(F.trim("brand")).isin(*_NO_BRAND), F.trim("brand"))
    uid = F.col("product_uid").try_cast("double").cast("long").cast("string")
    return raw.groupBy(uid.alias("item_id")).agg(F.min(brand).alias("brand"))


def _describe_items(rated: DataFrame, brands: DataFrame) -> DataFrame:
    """Return one row per product of the pairs, with what its title says."""
    title = F.col("title")
    return (
        rated.where(F.col("item_id").isNotNull())
        .groupBy("item_id")
        .agg(F.min("title").alias("title"))
        .join(brands, on="item_id", how="left")
        .withColumns(
            {
                "item_type": head_noun(title),
                "colour": colour_in(title),
                "size": size_in(title),
                "material": material_in(title),
            }
        )
    )


def _draw_pairs(
    rated: DataFrame, texts: DataFrame, items: DataFrame, world: "World[HomeDepotSource]"
) -> DataFrame:
    """Return PAIRS and is_filler: the pairs that can be read, and fillers."""
    from udfs.market.rows import LATENTS, latent_rows  # pandas, as in `read`

    keyed = texts.select("text_number", text_key(F.col("query_text")).alias("text_key"))
    judged = (
        rated.where(F.col("grade").isNotNull() & F.col("item_id").isNotNull())
        .withColumn("text_key", text_key(F.col("query_text")))
        .join(keyed, on="text_key", how="inner")
        .groupBy("text_number", "item_id")
        .agg(
            F.max("grade").alias("grade"),
            F.max(F.col("rating").try_cast("double")).alias("rating"),
        )
    )
    filled = draw_fillers(texts, judged.select("text_number", "item_id"), items, world)
    offers = items.select("item_id", "brand", "price", "popularity", "quality", "cheapness")
    rows = (
        judged.withColumn("is_filler", F.lit(False))
        .unionByName(filled.withColumn("is_filler", F.lit(True)), allowMissingColumns=True)
        .join(keyed, on="text_number", how="inner")
        .join(offers, on="item_id", how="inner")
    )
    schema = (
        "text_number long, item_id string, grade int, is_filler boolean, text_key string, "
        f"brand string, price double, {LATENTS}, relevance double"
    )
    return rows.mapInPandas(world.map_batches(latent_rows), schema)


def _select_judgments(
    rated: DataFrame, pairs: DataFrame, engine: "MarketEngine", conf: ResolvedConf
) -> DataFrame:
    """Select every line of the pairs file in every region, and the fillers as assumed grades."""
    region = F.explode(F.array(*map(F.lit, conf.tree.regions))).alias("region")
    human = (
        rated.select("query_text", "item_id", "rating", "grade", MALFORMED, region)
        .withColumn("query_id", query_key(F.col("query_text"), F.col("region")))
        .withColumn("source", F.lit("human"))
        .drop("query_text", "region")
    )
    assumed = (
        pairs.where("is_filler")
        .join(engine.queries, on="text_number", how="inner")
        .select("query_id", "item_id", F.lit("assumed").alias("source"), "grade")
    )
    return _mark_rows(human, simulated=False).unionByName(
        _mark_rows(assumed, simulated=True), allowMissingColumns=True
    )


def _load_file(spark: SparkSession, source: HomeDepotSource, name: str) -> DataFrame:
    path = _require_file(source, name)
    return require_columns(read_delimited(spark, str(path)), _COLUMNS[name], name)


def _require_file(source: HomeDepotSource, name: str) -> Path:
    mend = "set source.path or COUNTERPOISE_DATA to the folder of the Home Depot files"
    return require_file(Path(source.path) / name, mend)


def _mark_rows(df: DataFrame, simulated: bool) -> DataFrame:
    return df.withColumns({"dataset": F.lit(DATASET), "simulated": F.lit(simulated)})
