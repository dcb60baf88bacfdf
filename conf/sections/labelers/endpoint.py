"""A chat endpoint as a labeler."""

from pydantic import Field

from conf.sections.base import Section


class EndpointConf(Section):
    """An OpenAI-compatible chat endpoint that grades pairs."""

    url: str = Field("http://127.0.0.1:8080/v1", description="base address of the endpoint")
    model: str = Field("default", description="model name sent with a request")
    key_variable: str = Field(
        "COUNTERPOISE_LABELER_KEY", description="environment variable that holds the key"
    )
