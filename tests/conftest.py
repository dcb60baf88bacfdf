"""One Spark session for all tests, and a small conf rooted in a temporary folder."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import DataFrame, SparkSession

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import Table

REPOSITORY = Path(__file__).parents[1]

# A busy machine must not fail a property: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# The JVMs of the tests, and of the commands that tests start, are short-lived: HotSpot's optimising
# compiler costs them more than it gains (149 CPU seconds against 88 for the tests of features/log
# and features/quality), and two sessions on two cores leave none to collect garbage on beside them.
_SHORT_LIVED_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
os.environ.setdefault("SPARK_SUBMIT_OPTS", _SHORT_LIVED_JVM)
os.environ.setdefault("SPARK_LAUNCHER_OPTS", _SHORT_LIVED_JVM)

# Two processes of tests share the cores: each of torch's threads would wait for one that has none.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Of a few rows, compiling a plan takes longer than running it: Spark interprets, as it does by
# itself where a plan does not compile, and plans once. Runs by the command line compile and adapt,
# as users' do.
_OF_FEW_ROWS = (
    "spark.options={spark.sql.codegen.wholeStage: 'false', "
    "spark.sql.codegen.factoryMode: NO_CODEGEN, spark.sql.adaptive.enabled: 'false'}"
)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Local Spark with Delta; started once, its scratch in a temporary folder."""
    from jobs.platform.session import get_session

    conf = load_conf(
        [SIMULATED],
        settings=[
            f"storage.root={tmp_path_factory.mktemp('spark')}",
            # At 1500m, 427 s of a process's 38 minutes went into full collections of garbage.
            "spark.driver_memory=2g",
            "spark.shuffle_partitions=2",
            _OF_FEW_ROWS,
        ],
    )
    session = get_session(conf.tree)
    yield session
    session.stop()


@pytest.fixture(autouse=True, scope="module")
def _released_frames() -> Iterator[None]:
    """Let go of the frames that a module's tests left in cycles: Python seldom looks for those by
    itself, and until then the JVM keeps their plans.
    """
    yield
    gc.collect()


@pytest.fixture
def make_conf(tmp_path: Path) -> Callable[..., ResolvedConf]:
    """`make_conf("a.b=c", ..., files=[...])`: a resolved conf whose outputs are temporary."""

    def make(*settings: str, files: tuple[str, ...] = (), dry_run: bool = False) -> ResolvedConf:
        root = f"storage.root={tmp_path / 'warehouse'}"
        return load_conf(
            [SIMULATED, *(REPOSITORY / "conf" / f for f in files)],
            [root, "tracking.mlflow=false", *settings],
            dry_run=dry_run,
        )

    return make


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes ten more characters."""
    real = Path.write_text

    def write(self: Path, text: str, **kwargs: str) -> int:
        real(self, text[:10], **kwargs)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write)


@pytest.fixture
def table_frame(spark: SparkSession) -> Callable[..., DataFrame]:
    """`table_frame(TABLE, rows, column=value, ...)`: rows of a contract from partial dicts.

    A column that a row leaves out takes the keyword's value, else a zero of its type where it is
    required and null where it is not.
    """
    zeros: dict[str, object] = {
        "string": "",
        "date": date(2026, 3, 1),
        "boolean": False,
        "int": 0,
        "long": 0,
    }

    def make(table: Table, rows: Sequence[dict[str, object]], **given: object) -> DataFrame:
        filler = {c.name: zeros.get(c.type, 0.0) if c.required else None for c in table.columns}
        schema = ", ".join(f"`{c.name}` {c.type}" for c in table.columns)
        data = [tuple((filler | given | row)[n] for n in table.column_names) for row in rows]
        return spark.createDataFrame(data, schema)

    return make


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets; skips where it is absent."""
    folder = Path(os.environ.get("COUNTERPOISE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set COUNTERPOISE_DATA)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for the Spark session."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.spark)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a random one-layer encoder of 16 dimensions that knows the letters and digits."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [str(n) for n in range(10)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{x}" for x in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        )
    ).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def deep_encoder(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a random encoder as the tiny one, of three layers."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("deep") / "encoder"
    shutil.copytree(tiny_encoder, folder)
    torch.manual_seed(1)
    config = BertConfig.from_pretrained(tiny_encoder, num_hidden_layers=3)
    BertModel(config).save_pretrained(folder)
    return str(folder)
