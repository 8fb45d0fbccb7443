"""The words that the demo's questions are made of. Each begins with a consonant where "a" may stand before it."""

# ruff: noqa: SIM905 - as literals the same lists would fill a page

NAMES = "Ada Ben Carla Dan Edda Finn Greta Hugo Ida Jonas Kim Lena Mira Nils Otto Paula Rosa Sven Tilda Vera".split()
CITIES = "Bergen Cadiz Dublin Ghent Krakow Lisbon Malmo Naples Oslo Porto Riga Split Turin Vienna".split()
COUNTABLES = "stamps pears shells coins marbles books plums pebbles tickets buttons cards beads".split()
TREASURES = "whistle coin key ring map pencil candle button shell feather marble thimble".split()
COLOURS = "red blue green white pink yellow brown purple".split()
WORDS = (
    "apple bread cloud daisy eagle fox goose harp island jacket kettle lamp maple needle olive plum "
    "quill river spoon tulip umbrella violin window zebra"
).split()
