"""The feature matrix of pairs: overlap features and, where wanted, the encoder's cosine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from conf.sections.features import EncoderConf
from conf.sections.language import LanguageConf
from model.labelers.base import LabelerError, Pairs
from model.labelers.fitting import hash_parts
from model.labelers.lexical.features import (
    COSINE,
    FEATURES,
    FEATURES_VERSION,
    compute_lexical_features,
    fit_vocabulary,
)
from model.labelers.lexical.parsed import TextParser
from model.labelers.lexical.vocabulary import Vocabulary
from model.labelers.vectors import Vector
from model.text.encoder import EncoderSpec, find_encoder, load_encoder
from model.text.rules import TextRules, mend_text

_KEPT_VECTORS = 65_536
"""Texts whose vectors are kept (count): 100 MB at 384 dimensions."""


@dataclass(frozen=True)
class LexicalInputs:
    """What turns texts into features, fitted on the items of the training pairs.

    Attributes:
        vocabulary: how rare the tokens of items are.
        language: what the texts are read by.
        encoder_conf: the sentence encoder of the cosine; None: no cosine.
        spec: that encoder, found and checked.
    """

    vocabulary: Vocabulary
    language: LanguageConf
    encoder_conf: EncoderConf | None
    spec: EncoderSpec | None = field(default=None)

    @classmethod
    def fit(cls, pairs: Pairs, encoder_conf: EncoderConf | None, language: LanguageConf) -> Self:
        """Count the items' tokens; find the encoder.

        Raises:
            EncoderError: the encoder is absent or not the expected one.
        """
        spec = None if encoder_conf is None else find_encoder(encoder_conf)
        vocabulary = fit_vocabulary(pairs.items, TextParser(TextRules(language)))
        return cls(vocabulary, language, encoder_conf, spec)

    @cached_property
    def parser(self) -> TextParser:
        """Takes texts apart by the rules of the language."""
        return TextParser(TextRules(self.language))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        return FEATURES if self.spec is None else (*FEATURES, COSINE)

    @property
    def version(self) -> dict[str, Any]:
        """What the features of a pair depend on beside the vocabulary."""
        return {
            "features": FEATURES_VERSION,
            "language": hash_parts(self.language.model_dump(mode="json")),
            "encoder": self.encoder_version,
        }

    @property
    def encoder_version(self) -> str | None:
        """Version of the sentence encoder; None: there is none."""
        return None if self.spec is None else self.spec.version

    def add_vectors(self, vectors: Mapping[str, Vector]) -> None:
        """Take vectors of the sentence encoder by text, which are then not computed again.

        Raises:
            LabelerError: the inputs have no sentence encoder.
        """
        if self.spec is None:
            raise LabelerError("there are no vectors without the sentence encoder")
        _add_to_cache(_open_cache(self.spec), vectors)

    def build_matrix(self, pairs: Pairs) -> NDArray[np.float32]:
        """Build the features [N, len(names)] of the pairs, in their order."""
        overlap = compute_lexical_features(pairs, self.vocabulary, self.parser)
        if self.spec is None:
            return overlap
        return np.column_stack([overlap, compute_cosines(pairs, self.spec)])

    def read_vectors(self, pairs: Pairs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look up the unit vectors [N, D] of the pairs' queries and of their items.

        Raises:
            LabelerError: the inputs have no sentence encoder.
        """
        if self.spec is None:
            raise LabelerError("there are no vectors without the sentence encoder")
        queries, items = (
            _encode_texts(pairs.queries, self.spec),
            _encode_texts(pairs.items, self.spec),
        )
        return (
            np.stack([queries[text] for text in pairs.queries]).astype(np.float32),
            np.stack([items[text] for text in pairs.items]).astype(np.float32),
        )

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        conf = self.encoder_conf
        return {
            "vocabulary": self.vocabulary.as_json(),
            "language": self.language.model_dump(mode="json"),
            "encoder": None if conf is None else conf.model_dump(mode="json"),
            "encoder_sha256": None if self.spec is None else self.spec.sha256,
            "dtype": None if self.spec is None else self.spec.dtype,
            "version": self.version,
        }

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> Self:
        """Give the inputs that `as_json` wrote.

        Raises:
            EncoderError: the encoder is absent.
            LabelerError: it has other weights than at the fit, or the features are computed in
                another way now.
        """
        if entries["version"].get("features") != FEATURES_VERSION:
            raise LabelerError("the labeler's features were computed by another version; fit anew")
        vocabulary = Vocabulary.from_json(entries["vocabulary"])
        language = LanguageConf(**entries["language"])
        conf = spec = None
        if entries["encoder"] is not None:
            # The arithmetic of the fit, whatever `auto` would mean on this machine.
            conf = EncoderConf(**entries["encoder"])
            spec = find_encoder(conf.model_copy(update={"dtype": entries["dtype"]}))
            if spec.sha256 != entries["encoder_sha256"]:
                raise LabelerError(
                    f"the encoder in {spec.folder} has sha256 {spec.sha256}, the labeler was "
                    f"fitted with {entries['encoder_sha256']}"
                )
        inputs = cls(vocabulary, language, conf, spec)
        if inputs.version != entries["version"]:
            raise LabelerError("the labeler's features were computed by another version; fit anew")
        return inputs


def compute_cosines(pairs: Pairs, spec: EncoderSpec) -> NDArray[np.float32]:
    """Compute the cosine of query and item, [N]; each distinct text is encoded once, by length."""
    queries = _encode_texts(pairs.queries, spec)
    items = _encode_texts(pairs.items, spec)
    out = np.empty(len(pairs), np.float32)
    for row, (query, item) in enumerate(zip(pairs.queries, pairs.items, strict=True)):
        out[row] = queries[query] @ items[item]
    return out


def _encode_texts(texts: Sequence[str], spec: EncoderSpec) -> dict[str, Vector]:
    """Encode the texts, unit vectors by text; those of the last 65,536 texts are not computed
    again."""
    cache = _open_cache(spec)
    distinct = set(texts)
    missing = sorted(distinct - cache.keys(), key=lambda text: (len(text), text))
    encoded = load_encoder(spec).encode([mend_text(text) for text in missing]) if missing else ()
    vectors = dict(zip(missing, encoded, strict=True))
    vectors |= {text: cache[text] for text in distinct & cache.keys()}
    _add_to_cache(cache, {text: vectors[text] for text in missing[-_KEPT_VECTORS:]})
    return vectors


def _add_to_cache(cache: dict[str, Vector], vectors: Mapping[str, Vector]) -> None:
    """Add vectors; the oldest go where there are too many."""
    cache.update(vectors)
    for text in list(islice(cache, max(0, len(cache) - _KEPT_VECTORS))):
        del cache[text]


@lru_cache(maxsize=1)
def _open_cache(spec: EncoderSpec) -> dict[str, Vector]:
    """Give this process's vectors by text, the oldest first; a batch of pairs repeats many
    texts."""
    return {}
