"""The Home Depot adapter on rows of our own in the files' format, and on the files themselves."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import MARKET_TRUTH
from jobs.ingest import JOB
from jobs.sources.base import SourceError
from jobs.sources.homedepot import BRANDS_FILE, PAIRS_FILE, fingerprint, grade_of_rating, read
from jobs.sources.titles import colour_in, head_noun, material_in, size_in

PAIRS = """id,product_uid,product_title,search_term,relevance
1,100001,Hollow 12-Gauge Steel Angle,angle bracket,3.0
2,100001,Hollow 12-Gauge Steel Angle,L Bracket,2.33
3,100002,"Ferro Sheet 36 in. x 36 in., Silver",angle bracket,1.5
4,100003,Ferro 5 ft. Oak Stair Tread in White,stair tread,2.67
5,100004,Norrwick Garden Hose Reel,hose reel,2.0
6,100005,Norrwick Brass Door Knob,door knob,1.67
"""
BRANDS = """,product_uid,brand
9,100001.0,Hollow
37,100002.0,N/A
69,100003.0,Ferro
"""


Tables = dict[str, pd.DataFrame]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The two files."""
    _write(tmp_path / PAIRS_FILE, PAIRS)
    _write(tmp_path / BRANDS_FILE, BRANDS)
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))


def _settings(folder: Path) -> tuple[str, ...]:
    return (
        "source.kind=homedepot",
        f"source.path={folder}",
        "source.days=7",
        "source.impressions=1200",
        "source.fillers=3",
        "source.filler_groups=2",
        "regions=[east, west]",
    )


def _conf(folder: Path, *settings: str) -> ResolvedConf:
    return load_conf([SIMULATED], settings=[*_settings(folder), *settings])


@pytest.fixture(scope="module")
def market(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Every frame, fetched once; judgments with query text and title beside."""
    folder = tmp_path_factory.mktemp("homedepot")
    _write(folder / PAIRS_FILE, PAIRS)
    _write(folder / BRANDS_FILE, BRANDS)
    raw = read(spark, _conf(folder))
    frames = {name: getattr(raw, name).toPandas() for name in ("items", "queries", "impressions")}
    judgments = raw.judgments.toPandas()
    named = judgments.merge(frames["queries"][["query_id", "query_text"]], on="query_id")
    frames["judgments"] = named.merge(frames["items"][["item_id", "title"]], on="item_id")
    assert len(frames["judgments"]) == len(judgments)
    return frames


def test_text_brand_and_price_of_items(market: Tables) -> None:
    items = market["items"].set_index("item_id")
    assert sorted(items.index) == ["100001", "100002", "100003", "100004", "100005"]
    assert items.title["100002"] == "Ferro Sheet 36 in. x 36 in., Silver"
    assert items.brand["100001"] == "Hollow"
    assert pd.isna(items.brand["100002"]) and pd.isna(items.brand["100004"])
    assert items.simulated.all() and (items.price > 0).all()


def test_every_query_is_in_every_region_as_typed(market: Tables) -> None:
    queries = market["queries"]
    assert len(queries) == 5 * 2 and not queries.simulated.any()
    assert set(queries[queries.query_text == "L Bracket"].region) == {"east", "west"}


def test_human_grades_keep_their_rating(market: Tables) -> None:
    judged = market["judgments"]
    human = judged[(judged.source == "human") & (judged.query_text == "angle bracket")]
    rows = zip(human.item_id, human.rating, human.grade, strict=True)
    assert sorted(rows) == [("100001", "3.0", 2)] * 2 + [("100002", "1.5", 0)] * 2
    assert not human.simulated.any()


def test_fillers_are_assumed_and_fit_nothing(market: Tables) -> None:
    judged = market["judgments"]
    assumed = judged[judged.source == "assumed"]
    assert len(assumed) > 0
    assert assumed.simulated.all() and (assumed.grade == 0).all()
    for query, title in zip(assumed.query_text, assumed.title, strict=True):
        assert not set(query.lower().split()) & set(title.lower().split())
    assert not judged.duplicated(["query_id", "item_id"]).any()


def test_engagement_is_simulated_over_judged_items_and_fillers(market: Tables) -> None:
    log, pairs = market["impressions"], market["judgments"][["query_id", "item_id"]]
    assert len(log) > 100 and log.simulated.all()
    assert len(log.merge(pairs, on=["query_id", "item_id"])) == len(log)


def test_engagement_follows_the_relevance_behind_the_rating(
    spark: SparkSession, folder: Path, market: Tables
) -> None:
    shoppers = (
        "{click_intercept: 0.0, relevance_strength: 1.0, popularity: 0.0, quality: 0.0, "
        "price_sensitivity_min: 0.0, price_sensitivity_max: 0.0, brand_taste_sd: 0.0, "
        "pair_noise_sd: 0.0}"
    )
    conf = _conf(folder, "source.rating_reliability=1.0", f"source.shoppers={shoppers}")
    truth = read(spark, conf).extras[MARKET_TRUTH].toPandas()
    judged = market["judgments"].merge(truth, on=["query_id", "item_id"])
    assert len(judged) == len(market["judgments"]) and (judged.grade == judged.true_grade).all()
    # raters who are always right: the rating of 1 to 3 is the relevance of 0 to 2
    relevance = judged.rating.astype(float).fillna(1.0) - 1
    planted = np.log(judged.true_p_click / (1 - judged.true_p_click)) + 1
    assert planted.to_numpy() == pytest.approx(relevance.to_numpy())


def test_ingest_takes_good_rows_and_quarantines_broken_ones(
    spark: SparkSession, folder: Path, make_conf: Callable[..., ResolvedConf]
) -> None:
    broken = "7,100005,Norrwick Brass Door Knob,knob,fine\n8,100005\n"
    _write(folder / PAIRS_FILE, PAIRS + broken)
    report = JOB.run(spark, make_conf(*_settings(folder), "ingest.max_quarantined_share=1"))
    quarantined = report.details["quarantined"]
    assert quarantined["items"] == {} and quarantined["queries"] == {}
    assert quarantined["impressions"] == {}
    assert quarantined["judgments"] == {"wrong_type": 2, "malformed_line": 2}


def test_a_missing_file_is_named_with_the_mend(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"{PAIRS_FILE} does not exist; set source.path"):
        read(spark, _conf(tmp_path))


def test_a_missing_column_is_named(spark: SparkSession, folder: Path) -> None:
    _write(folder / PAIRS_FILE, PAIRS.replace("search_term", "query"))
    with pytest.raises(SourceError, match=r"'search_term'\] are missing; present: .*'query'"):
        read(spark, _conf(folder))


def test_the_fingerprint_follows_the_files(folder: Path) -> None:
    before = fingerprint(_conf(folder))
    assert fingerprint(_conf(folder)) == before
    _write(folder / BRANDS_FILE, BRANDS + "70,100004.0,Norrwick\n")
    assert fingerprint(_conf(folder)) != before


def test_grade_thresholds(spark: SparkSession) -> None:
    ratings = [0.9, 1.0, 1.5, 1.67, 2.34, 2.5, 3.0, 3.1, None]
    frame = spark.createDataFrame([(r,) for r in ratings], "rating double")
    grades = [row[0] for row in frame.select(grade_of_rating(F.col("rating"))).collect()]
    assert grades == [None, 0, 0, 1, 1, 2, 2, None, None]


def test_what_a_title_says(spark: SparkSession) -> None:
    said = {
        "Delta 1-Handle Shower Only Faucet Trim Kit in Chrome": ("trim kit", "chrome", None, None),
        "6 in. x 10 ft. Rough Western Red Cedar Timber": ("timber", "red", "6 in", "cedar"),
        "1/2 in. x 5 ft. PEX Pipes, Blue": ("pipe", "blue", "1/2 in", None),
        "Front Load Washer with Steam": ("washer", None, None, None),
        "Stainless Steel Hose Clamps (10-Pack)": ("clamp", None, "10 pack", "stainless steel"),
        "Body Spray System Rough-In": ("rough", None, None, None),
        "Cordless Drill, 20-Volt": ("drill", None, "20 volt", None),
        "Glass": ("glass", None, None, "glass"),
        "42": (None, None, None, None),
    }
    title = F.col("title")
    read_off = spark.createDataFrame([(t,) for t in said], "title string").select(
        "title", head_noun(title), colour_in(title), size_in(title), material_in(title)
    )
    got = {row[0]: tuple(row)[1:] for row in read_off.collect()}
    assert got == said


@pytest.mark.realdata
def test_the_real_files_have_their_rows_and_grades(spark: SparkSession, real_data: Path) -> None:
    if not (real_data / PAIRS_FILE).exists():
        pytest.skip(f"no {PAIRS_FILE} in {real_data}")
    raw = read(
        spark,
        load_conf([SIMULATED], settings=["source.kind=homedepot", f"source.path={real_data}"]),
    )
    human = raw.judgments.where("source = 'human'")
    counts = {row["grade"]: row["count"] for row in human.groupBy("grade").count().collect()}
    shares = [counts[g] / sum(counts.values()) for g in (0, 1, 2)]
    assert sum(counts.values()) == 51_970 * 5
    assert shares == pytest.approx([0.07, 0.47, 0.46], abs=0.01)
    assert raw.queries.count() == 8_263 * 5
    assert raw.items.where("brand IS NOT NULL").count() > 20_000
