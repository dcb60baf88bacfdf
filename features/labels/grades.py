"""The three grades, and what their probabilities P(grade >= 1) and P(grade >= 2) say."""

from pyspark.sql import Column
from pyspark.sql import functions as F

GRADES = (0, 1, 2)


def split_masses(p_ge_1: Column, p_ge_2: Column) -> tuple[Column, Column, Column]:
    """Split the probabilities of the thresholds into those of grade 0, 1 and 2."""
    return 1 - p_ge_1, p_ge_1 - p_ge_2, p_ge_2


def compute_grade_entropy(p_ge_1: Column, p_ge_2: Column) -> Column:
    """Compute the entropy of the three grades (nats); null where a probability is."""
    masses = split_masses(p_ge_1, p_ge_2)
    terms = [F.when(p > 0, -p * F.ln(p)).when(p.isNotNull(), F.lit(0.0)) for p in masses]
    return terms[0] + terms[1] + terms[2]
