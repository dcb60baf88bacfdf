"""Reads YAML strictly: what PyYAML takes without a word, or answers with a trace, is one line."""

from pathlib import Path
from typing import Any

import yaml

from conf.errors import ConfError

_DATE = "tag:yaml.org,2002:timestamp"


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping and a value that holds itself.

    Dates stay text: the schema checks them, and says which key is wrong.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build the value at once: only so does PyYAML notice that it holds itself."""
        return super().construct_object(node, deep=True)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build the mapping; raises ConstructorError where a key stands in it twice."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    problem = f"key {key.value!r} stands here a second time"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {
    character: [(tag, form) for tag, form in resolvers if tag != _DATE]
    for character, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML file.

    Raises:
        ConfError: it cannot be read, is not UTF-8 or not YAML, or holds no mapping.
    """
    name = f"conf file {path}"
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"), name)
    except FileNotFoundError:
        raise ConfError(f"{name} does not exist") from None
    except OSError as error:
        raise ConfError(f"{name} cannot be read: {error.strerror}; name a YAML file") from None
    except UnicodeDecodeError as error:
        raise ConfError(f"{name} is not UTF-8: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfError(f"{name} must hold a mapping, not a {type(content).__name__}")
    return content


def parse_setting(setting: str) -> dict[str, Any]:
    """Parse `a.b=c` as a nested mapping, c read as YAML; raises ConfError where it is none."""
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ConfError(f"--set {setting!r}: write it as key.path=value")
    value = parse_yaml(text, f"--set {setting!r}: the value")
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def parse_yaml(text: str, name: str) -> Any:
    """Parse the plain value in a YAML text; raises ConfError, led by `name`, where it is none."""
    loader = None
    try:
        loader = _StrictLoader(text)
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise ConfError(f"{name} is not valid YAML: {_in_one_line(error)}") from None
    except RecursionError:
        raise ConfError(f"{name} is nested too deeply") from None
    except (ValueError, LookupError, AttributeError) as error:  # of a tag such as !!int or !!bool
        raise ConfError(f"{name} holds a value that is not what its tag says: {error}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _in_one_line(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        problem = "; ".join(filter(None, (error.context, error.problem)))
        return f"line {error.problem_mark.line + 1}: {problem}"
    return " ".join(str(error).split())
