"""A small WordPiece vocabulary of words that the prompts and captions use."""

WORDS = """
a an the and or of in on at to with by for from near under over is are was it there he she they
man woman boy girl child person people dog cat bird horse cow car bus truck train bike boat ball
table chair bed door window wall street road tree grass water sky sea beach room house kitchen
red blue green yellow black white orange purple pink brown grey small large big little old young
one two three four five six seven many some no yes not playing walking running sitting standing
talking eating cooking riding holding looking jumping dancing singing throwing cutting moving
left right top bottom front back side what where who how which when does do can you see color colour
guitar piano hat shirt cup plate food bread cake pizza phone book screen light sign word say says
circle square triangle shape line star bounces crosses turns falls
""".split()

PIECES = "##s ##ed ##ing ##er ##ly ##ball ##t ##n ##es ##man ##board ##light ##y ##est".split()
PUNCTUATION = list(". , ? ! ' - : ; ( ) / \" & % # $ @".split())
DIGITS = list("0123456789")
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
SPECIALS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def build(hub_ids):
    """The tokens in order of id. hub_ids: [CLS] is 101 and [SEP] 102, as on the Hub; else 2 and 3."""
    named = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    filler = [f"[unused{i}]" for i in range(99)] if hub_ids else []
    tokens = ["[PAD]"] + filler + named
    rest = PUNCTUATION + DIGITS + LETTERS + WORDS + PIECES
    rest += ["##" + c for c in DIGITS + LETTERS]
    seen = set(tokens)
    for token in rest:
        if token not in seen:
            seen.add(token)
            tokens.append(token)
    return tokens
