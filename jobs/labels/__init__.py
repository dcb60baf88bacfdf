"""Labels from a model: fitting, the gate, chunks, audits."""
