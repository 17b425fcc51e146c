"""The words of the moving-shapes world, and the WordPiece vocabulary of the demo model."""

COLOURS = "red green blue yellow purple orange white black".split()
SHAPES = "circle square triangle ring cross".split()
MOTIONS = ["moves left", "moves right", "moves up", "moves down", "stays still", "grows", "shrinks", "appears", "disappears"]

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARKS = list(LETTERS + "0123456789.,?!'-")
WORDS = """and nothing red green blue yellow pur orange white black circle square tri ring cross moves left right up down stays
still grow shrink appear dis what color is the shape does do how many shapes are there one two move yes no""".split()
# Some words take two pieces, as words do in any real vocabulary.
PIECES = ["##ple", "##angle", "##appears"]
TOKENS = SPECIAL + MARKS + WORDS + PIECES + ["##" + c for c in LETTERS + "0123456789"]
