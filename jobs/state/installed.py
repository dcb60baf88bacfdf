"""Versions of the packages that compute what a step makes: another version makes it run again."""

from importlib.metadata import PackageNotFoundError, version

_COMPUTING = (
    "delta-spark",
    "lightgbm",
    "numpy",
    "pandas",
    "peft",
    "petastorm",
    "pyarrow",
    "pyspark",
    "safetensors",
    "scikit-learn",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
)
"""Those of our requirements that decide values; a table's layout or a test does not hang on the
others. By name, because a wheel for a platform requires none of what the platform brings."""


def installed_versions() -> dict[str, str | None]:
    """Version by package; None for one that is not installed."""
    return {name: _version(name) for name in _COMPUTING}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
