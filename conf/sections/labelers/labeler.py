"""Which labeler labels, and what it is fitted on."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section
from conf.sections.labelers.causal_lm import CausalLmConf
from conf.sections.labelers.cross_encoder import CrossEncoderConf
from conf.sections.labelers.endpoint import EndpointConf
from conf.sections.labelers.ensemble import EnsembleConf, MemberKind
from conf.sections.labelers.lexical import LexicalConf

LabelerKind = Literal["ensemble", MemberKind]


class LabelerConf(Section):
    """The labeler of this configuration and the settings of every kind."""

    kind: LabelerKind = Field("ensemble", description="labeler that is fitted and labels")
    ensemble: EnsembleConf = Field(
        default_factory=EnsembleConf, description="weighted mean of other labelers"
    )
    cross_encoder: CrossEncoderConf = Field(
        default_factory=CrossEncoderConf, description="encoder over query and item"
    )
    causal_lm: CausalLmConf = Field(
        default_factory=CausalLmConf, description="causal language model"
    )
    openai_compatible: EndpointConf = Field(
        default_factory=EndpointConf, description="chat endpoint"
    )
    lexical: LexicalConf = Field(default_factory=LexicalConf, description="gradient boosting")
