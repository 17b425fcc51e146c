"""Makes vocab.txt, tokenizer.json, cased.json and golden.json: a small vocabulary and what the
reference tokenizers make of hard texts.

Run by hand, from this folder, with transformers==4.56.2 tokenizers==0.22.2.
"""

import hashlib
import json
import string
import sys
import unicodedata

import tokenizers
import transformers
from tokenizers import AddedToken
from transformers import BertTokenizer, BertTokenizerFast

assert transformers.__version__ == "4.56.2" and tokenizers.__version__ == "0.22.2"

WORDS = """the a cat cats dog sitting on mat man woman is playing guitar two people street it don t s re ve m n do not
can they cafe hello world street strasse istanbul resume naive 東 京 中 国 un able want wa hallo smith smiths home person
bus say at top what does front of 10 2024 don' <loc> #hash I Cat Hello ß é İ ς σ σας""".split()
PIECES = "##s ##ing ##ed ##able ##aff ##er ##ly ##ran ##23 ##24 ##caf ##ello ##中 ##ι ##ς ##σ ##é".split()
OTHERS = "ß æ ø ı α β γ δ ε ι ο π ρ σ ς τ υ ω а б в г д и о я ا ب ت م ن ه ל ש ᄒ ᅡ ᆫ ᄀ ᅳ ᆯ あ い う が か カ キ € £ ° « » … – — “ ” ‘ ’ ¿ ¡ 😀 🎸 𝒜 𐐨 𠀀 가 क ्".split()
letters = list(string.ascii_lowercase + string.digits)
tokens = ["[PAD]"] + [f"[unused{i}]" for i in range(5)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
tokens += [c for c in string.printable[:95].strip() if not c.isupper() and c not in letters]
tokens += letters + ["##" + c for c in letters] + OTHERS + ["##" + c for c in OTHERS] + WORDS + PIECES
tokens = list(dict.fromkeys(tokens))

TEXTS = [
    "", " ", "a cat sitting on the mat.", "A CAT Sitting", "Café résumé naïve", "cafe\u0301", "東京は国", "a東b中c", "a\u00a0cat",
    "a\u3000cat", "a\u2028cat\u2029dog", "a\u200bcat", "a\u00adcat", "the\u200d cat", "😀🎸 cat😀cat", "a\u0085cat", "a\x00b\x07c\x1fd\x7fe",
    "a\tb\nc\r\nd\x0be\x0cf", "a" * 99, "a" * 100, "a" * 101, "é" * 100, "é" * 101, "e\u0301" * 60, "[CLS] cat [SEP]", "a[SEP]b", "[sep] [ SEP ]",
    "[MASK]ed [UNK] [PAD]", "don't it's they're I've I'm can't", "the smiths' home", "what does the front of the bus say at the top?",
    "a.b@c.com", "...!!??,,;:", "$5.00 ^ `x` ~ | + = < >", "10,000 2024 1234567890 3.14", "한글 각", "한", "İstanbul ISTANBUL ıi",
    "ΟΔΟΣ σας ΣΑΣ ς", "Αθήνα ΰ", "اَلْ\u064bب", "שָׁלוֹם", "𝒜𐐀 𐐨", "𠀀𫜴𫠝𫤠鿿㐀", "ß ẞ STRASSE straße", "क्षि", "が カ゛ ガ", "ﬁ ﬀ ①", "«a» “b” ‘c’ — – …", "¿que? ¡a!",
    "a\ufffdb \ufffd", "\ufeffcat", "\ue000cat", "<loc>cat <loc> <LOC>", "person persons xperson person-a", " #hash a #hash  b#hash", "unwanted affable running",
    "don't don ' t n't 's", "a_b__c", "cat\u0301\u0302\u0303s", "Å Ω K ℃", "\u1e9b\u0323", "ｆｕｌｌ　ｗｉｄｔｈ", "x²³¹ ½", "© ® ™", "a\u034fb\u180eb", "\u0378cat",
    "unk￾nown", "cat" + "\u0300" * 40 + "s", "Ⅷ ⅷ Ǆ ǅ", "  many   blanks  ", "\t\n", "[CLS][CLS]", "[CL[CLS]S]",
    "a\U0002b820b a\U0002b91fb a\U0002b920b a\U0002ceafb", "cats do not sing",
]

EXTRA = [AddedToken("<loc>", normalized=False), AddedToken("person", single_word=True, normalized=True),
         AddedToken("#hash", lstrip=True, rstrip=True, normalized=False), AddedToken("CAFÉ", normalized=True),
         AddedToken("<new>", special=True, normalized=False), AddedToken("<newer>", normalized=False),
         AddedToken("do not", normalized=False)]


def decodes(fast, n):
    ids = {w: i for w, i in fast.get_vocab().items()}
    spell = lambda *ws: [ids[w] for w in ws]
    yield from ([], [ids["[UNK]"]], spell("##s", "cat", "##s"), spell("[CLS]", "two", "cats", ".", "[SEP]", "[PAD]", "[PAD]"))
    yield spell("don", "'", "t", "it", "'", "s", "they", "'", "re", "!", "?", ",", "(", "a", ")")
    yield spell("do", "not", "n", "'", "t", "smiths", "'", "home", ".", ".", ".")
    yield spell("a", ".", "b", "@", "c", ".", "c", "##o", "##m", "a", "-", "b")
    yield spell("東", "京", "😀", "##😀", "<loc>", "cat", "[MASK]", "'", "[UNK]", "'", "m", "##ing")
    yield [n, n + 7, ids["cat"], 10**6, ids["dog"]]
    yield list(range(0, n, 3))
    yield list(range(n - 1, -1, -7))


def goldens(fast, slow=None):
    encode = []
    for text in TEXTS:
        ids = fast(text, add_special_tokens=False)["input_ids"]
        encode.append({"text": text, "ids": ids, "slow": slow is not None and slow(text, add_special_tokens=False)["input_ids"] == ids})
    decode = []
    for ids in [e["ids"] for e in encode] + list(decodes(fast, len(fast))):
        texts = [fast.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean)
                 for skip in (True, False) for clean in (True, False)]
        decode.append({"ids": ids, "texts": texts})
    return {"encode": encode, "decode": decode}


def every_character(fast):
    """A digest for each 4096 code points c of the words in "a"+c+"b". Left out are those that Python has
    no name for (later Unicode versions have) and where Rust's older tables differ from Python's."""
    back, pre = fast.backend_tokenizer.normalizer, fast.backend_tokenizer.pre_tokenizer
    basic = transformers.models.bert.tokenization_bert.BasicTokenizer()
    blocks, skipped = [], []
    for block in range(0, sys.maxunicode + 1, 4096):
        digest = hashlib.sha256()
        for c in range(block, block + 4096):
            if 0xD800 <= c < 0xE000:
                continue
            text = "a" + chr(c) + "b"
            rust = [w for w, _ in pre.pre_tokenize_str(back.normalize_str(text))]
            if unicodedata.category(chr(c)) == "Cn" or rust != basic.tokenize(text):
                skipped.append(c)
                continue
            digest.update("\n".join(rust).encode() + b"\0")
        blocks.append(digest.hexdigest()[:16])
    runs = []
    for c in skipped:
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    return {"skipped": runs, "blocks": blocks}


with open("vocab.txt", "w") as f:
    f.writelines(t + "\n" for t in tokens)
plain, slow = BertTokenizerFast("vocab.txt"), BertTokenizer("vocab.txt")
full = BertTokenizerFast("vocab.txt")
full.add_tokens(EXTRA)
full.backend_tokenizer.save("tokenizer.json", pretty=False)
full = BertTokenizerFast(tokenizer_file="tokenizer.json")
cased = BertTokenizerFast("vocab.txt", do_lower_case=False, tokenize_chinese_chars=False)
cased.backend_tokenizer.save("cased.json", pretty=False)
accents = BertTokenizerFast("vocab.txt", do_lower_case=True, strip_accents=False)
golden = {"vocab.txt": goldens(plain, slow), "tokenizer.json": goldens(full), "cased.json": goldens(cased), "accents": goldens(accents),
          "characters": every_character(plain)}
with open("golden.json", "w") as f:
    json.dump(golden, f, ensure_ascii=True, separators=(",", ":"))
    f.write("\n")
both = [e["slow"] for e in golden["vocab.txt"]["encode"]]
print(len(tokens), "tokens;", len(TEXTS), "texts, on", sum(both), "of which the slow tokenizer agrees")
print([t for t, b in zip(TEXTS, both) if not b])
