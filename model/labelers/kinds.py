"""The kinds of labelers, by the names that conf, tables and labeler.json give them."""

CAUSAL_LM = "causal_lm"
CROSS_ENCODER = "cross_encoder"
ENDPOINT = "openai_compatible"
ENSEMBLE = "ensemble"
LEXICAL = "lexical"
