"""Words of the simulated market: types, brands, colours, sizes, materials and their synonyms.

Brands and series are made up. Every list is in a fixed order: a draw is an index into it.
"""

from typing import NamedTuple


def _split_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SIZES: dict[str, tuple[str, ...]] = {
    "inch": ("12 in", "18 in", "24 in", "30 in", "36 in", "48 in"),
    "foot": ("4 ft", "6 ft", "8 ft", "10 ft", "25 ft"),
    "bed": ("twin", "full", "queen", "king"),
    "letter": ("small", "medium", "large"),
    "ounce": ("8 oz", "12 oz", "16 oz", "20 oz", "32 oz"),
    "gallon": ("5 gal", "8 gal", "13 gal", "32 gal"),
    "volt": ("12 volt", "18 volt", "20 volt", "40 volt"),
}
MATERIALS: dict[str, tuple[str, ...]] = {
    "wood": ("oak", "pine", "walnut", "bamboo"),
    "cover": ("leather", "linen", "velvet", "polyester"),
    "cloth": ("cotton", "linen", "wool", "polyester"),
    "metal": ("steel", "brass", "iron", "aluminum"),
    "vessel": ("ceramic", "glass", "steel", "plastic"),
    "tough": ("plastic", "rubber", "nylon", "steel"),
}


class ItemType(NamedTuple):
    """A type: its name, other names for it, middle price, kinds of sizes and materials."""

    name: str
    synonyms: tuple[str, ...]
    price: float
    sizes: str
    materials: str


TYPES: tuple[ItemType, ...] = (
    ItemType("sofa", ("couch", "settee"), 620.0, "inch", "cover"),
    ItemType("desk", ("writing table", "workstation"), 210.0, "inch", "wood"),
    ItemType("rug", ("carpet",), 120.0, "foot", "cloth"),
    ItemType("table lamp", ("desk light", "bedside lamp"), 55.0, "inch", "metal"),
    ItemType("backpack", ("rucksack", "school bag"), 58.0, "letter", "tough"),
    ItemType("bookcase", ("bookshelf", "book shelf"), 150.0, "inch", "wood"),
    ItemType("skillet", ("frying pan", "fry pan"), 38.0, "inch", "metal"),
    ItemType("curtain", ("drape", "window panel"), 34.0, "inch", "cloth"),
    ItemType("mattress", ("bed mattress",), 410.0, "bed", "cover"),
    ItemType("drill", ("drill driver", "power drill"), 115.0, "volt", "tough"),
    ItemType("mug", ("coffee cup", "tea cup"), 12.0, "ounce", "vessel"),
    ItemType("planter", ("flower pot", "plant pot"), 29.0, "inch", "vessel"),
    ItemType("faucet", ("tap", "mixer tap"), 112.0, "inch", "metal"),
    ItemType("duvet", ("comforter", "quilt"), 88.0, "bed", "cloth"),
    ItemType("armchair", ("lounge chair", "easy chair"), 270.0, "inch", "cover"),
    ItemType("water bottle", ("flask", "drinking bottle"), 21.0, "ounce", "vessel"),
    ItemType("trash can", ("garbage bin", "waste bin"), 52.0, "gallon", "metal"),
    ItemType("coffee table", ("cocktail table",), 175.0, "inch", "wood"),
    ItemType("pillow", ("cushion",), 24.0, "letter", "cloth"),
    ItemType("ceiling fan", ("overhead fan",), 165.0, "inch", "metal"),
    ItemType("garden hose", ("hosepipe", "water hose"), 37.0, "foot", "tough"),
    ItemType("suitcase", ("luggage", "travel case"), 118.0, "inch", "tough"),
    ItemType("kettle", ("tea kettle", "water boiler"), 44.0, "ounce", "metal"),
    ItemType("storage bin", ("storage box", "tote"), 19.0, "gallon", "tough"),
    ItemType("mirror", ("looking glass",), 92.0, "inch", "wood"),
    ItemType("towel", ("bath sheet",), 17.0, "letter", "cloth"),
    ItemType("floor lamp", ("standing lamp", "torchiere"), 96.0, "inch", "metal"),
    ItemType("bed frame", ("bedstead",), 315.0, "bed", "wood"),
    ItemType("knife", ("blade", "kitchen knife"), 31.0, "inch", "metal"),
    ItemType("shower head", ("showerhead",), 47.0, "inch", "metal"),
    ItemType("saucepan", ("cooking pot", "sauce pan"), 36.0, "ounce", "metal"),
    ItemType("cutting board", ("chopping board",), 28.0, "inch", "wood"),
    ItemType("ladder", ("stepladder", "step ladder"), 132.0, "foot", "metal"),
    ItemType("patio umbrella", ("parasol", "sun umbrella"), 101.0, "foot", "cloth"),
    ItemType("tool box", ("toolbox", "tool chest"), 46.0, "inch", "tough"),
    ItemType("blanket", ("throw", "bed cover"), 39.0, "bed", "cloth"),
    ItemType("flashlight", ("torch", "hand lamp"), 23.0, "letter", "tough"),
    ItemType("bench", ("garden seat", "hall seat"), 142.0, "inch", "wood"),
    ItemType("hammer", ("mallet",), 22.0, "ounce", "tough"),
    ItemType("grill", ("barbecue", "bbq"), 305.0, "inch", "metal"),
)
COLOURS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("black", ("ebony",)),
    ("white", ("ivory",)),
    ("gray", ("grey", "charcoal")),
    ("blue", ("navy",)),
    ("brown", ("chocolate",)),
    ("red", ("crimson",)),
    ("green", ("olive",)),
    ("beige", ("tan",)),
    ("yellow", ("mustard",)),
    ("pink", ("rose",)),
)
BRANDS: tuple[str, ...] = tuple(
    start + end
    for end in _split_words("vel mark dora ston wick una ley brook nex tail")
    for start in _split_words("Nor Hal Bri Cas Dun Fer Gal Jor Kel Lin Mor Pel")
)
SERIES: tuple[str, ...] = _split_words(
    "Aria Bexley Camden Delmar Easton Fjord Grove Haven Iris Juno Kent Lyra Milo Nova Orla Piper "
    "Quinn Reed Sage Tilda Urban Vero Willow Zeno"
)
MODIFIERS: tuple[str, ...] = _split_words(
    "best cheap new modern discount sale nice simple quality stylish affordable popular premium "
    "original great classic durable trendy basic deluxe"
)
BRANDS_PER_TYPE = 12
"""Brands of a type: neighbouring types share seven of them."""


def choose_brand(type_index: int, choice: int) -> int:
    """Compute the index into BRANDS of a type's `choice`-th brand; neighbouring types share
    brands."""
    return (type_index * 5 + choice) % len(BRANDS)
