"""The demo model's tokenizer."""

import pathlib
import tempfile

from transformers import BertTokenizerFast

from words import TOKENS


def tokenizer():
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = pathlib.Path(folder) / "vocab.txt"
        vocabulary.write_text("".join(t + "\n" for t in TOKENS))
        return BertTokenizerFast(str(vocabulary))
