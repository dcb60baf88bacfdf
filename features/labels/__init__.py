"""Labels: of people, of admitted versions, and which pairs are labeled next."""
