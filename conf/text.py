"""The resolved conf as text: what is kept beside the outputs and shown."""

import yaml

from conf.load import ResolvedConf


def conf_text(conf: ResolvedConf) -> str:
    """Write the resolved tree as YAML, headed by its hash; reading it back gives the same tree."""
    body = yaml.safe_dump(conf.shown, sort_keys=False, allow_unicode=True)
    return f"# conf hash {conf.hash}\n{body}"
