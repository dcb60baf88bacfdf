"""The version of the code, as commits and manifests name it."""

from importlib.metadata import PackageNotFoundError, version


def code_version() -> str:
    """Return the version of the installed package, or "source" in a checkout that
    is not installed.
    """
    try:
        return version("counterpoise")
    except PackageNotFoundError:
        return "source"
