"""Labelers: one section a kind, and which one labels."""

from conf.sections.labelers.causal_lm import CausalLmConf
from conf.sections.labelers.cross_encoder import CrossEncoderConf
from conf.sections.labelers.endpoint import EndpointConf
from conf.sections.labelers.ensemble import EnsembleConf
from conf.sections.labelers.fine_tuning import FineTuningConf
from conf.sections.labelers.labeler import LabelerConf, LabelerKind
from conf.sections.labelers.lexical import LexicalConf

__all__ = [
    "CausalLmConf",
    "CrossEncoderConf",
    "EndpointConf",
    "EnsembleConf",
    "FineTuningConf",
    "LabelerConf",
    "LabelerKind",
    "LexicalConf",
]
