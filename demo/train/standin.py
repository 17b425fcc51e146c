"""Makes ../model: a tiny GIT video checkpoint with random weights, the default model until a trained one is there.

    python standin.py [--out DIR]      (packages: model/testdata/gen/requirements.txt)

What it says means nothing. The seed is chosen so that captions are a few different words, and the weight of the end token
so that they end: random weights alone never do. Re-running gives the same files."""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
GEN = HERE.parent.parent / "model" / "testdata" / "gen"
sys.path.insert(0, str(GEN))

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

import checkpoint  # noqa: E402
import huggingface  # noqa: E402
import pictures  # noqa: E402
import specs  # noqa: E402

WORDS = """
a the and one two three four five big small red green blue yellow white black orange purple pink grey
circle square triangle star ball box line cross moves turns stands falls rises grows shrinks bounces
left right up down over under near past into slowly fast above below behind before after while
is are there what where how many color shape which way does do it no yes of on in at to from with
camera scene picture light dark wall floor corner side middle top bottom edge first last other same again
""".split()
MARKS = list("abcdefghijklmnopqrstuvwxyz0123456789.,?!'-")
TOKENS = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + MARKS + [w for w in WORDS if w not in MARKS]
          + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"])

SPEC = {
    "config": specs.text(48, 192, 2, 4, 64, num_image_with_embedding=6), "vision": specs.vision(48, 192, 2, 4, 64, 16),
    "tied": False, "gain": 0.5, "hub_ids": False, "files": ["vocab.txt", "tokenizer.json"],
    "weights": "model.safetensors", "dtype": "float32", "preprocessor": specs.videomae(64),
}
SEED = 27
END = range(6, 10)  # the steps at which a caption should end


def looks():
    """Some windows: frames that move, stills, noise, plain colours."""
    rng = np.random.default_rng(5)
    folder = GEN.parent / "pictures"
    moving = [pictures.load(folder, [f"frame-{i}" for i in order]) for order in (range(6), (7, 5, 4, 2, 1, 0))]
    stills = [pictures.load(folder, [name] * 6) for name in ("street", "room", "large")]
    plain = [[pictures.Image.new("RGB", (80, 60), tuple(rng.integers(0, 255, 3).tolist()))] * 6 for _ in range(4)]
    return moving + stills + plain


def hidden(reference, seen, ids):
    """The decoder's last states [len(ids), D]."""
    with torch.no_grad():
        return reference.model.git(input_ids=torch.tensor([ids]), use_cache=False, **seen).last_hidden_state[0, -len(ids):]


def only_words(model):
    """Whole words are likely; letters, pieces and specials are not, nor is the word before once more."""
    words = model.git.embeddings.word_embeddings.weight.data
    model.output.weight.data -= 2 * model.output.weight.data.std() * words / words.std()
    for i, token in enumerate(TOKENS):
        if token in MARKS or token.startswith("##") or token.startswith("["):
            model.output.bias.data[i] = -60


def teach_end(reference, inputs):
    """Turns the end token's weight towards the states of the steps in END and away from those before."""
    early, late = [], []
    for seen in inputs:
        ids, _ = reference.greedy(seen, [reference.bos], 1 + END.stop)
        states = hidden(reference, seen, ids)
        early += states[:END.start]
        late += states[END.start:]
    early, late = torch.stack(early).mean(0), torch.stack(late).mean(0)
    direction = late - early
    weight = 40 * direction / direction.norm() ** 2
    end = TOKENS.index("[SEP]")
    reference.model.output.weight.data[end] = weight
    reference.model.output.bias.data[end] = 12 - (weight @ late).item() + 6


def judge(captions):
    """None for captions that can be shown, else what is wrong with them."""
    for words in captions:
        if not 4 <= len(words) <= 10 or len(set(words)) < len(words) - 1 or any(a == b for a, b in zip(words, words[1:])):
            return " ".join(words)
    if len({tuple(c) for c in captions}) < 4:
        return "too few different captions"
    return None


def make(out, seed):
    model = checkpoint.build(SPEC, TOKENS, seed)
    only_words(model)
    checkpoint.write(out, model, SPEC, TOKENS)
    reference = huggingface.Reference(out, SPEC)
    inputs = [reference.look(reference.pixels(look)[1], False)[0] for look in looks()]
    teach_end(reference, inputs)
    checkpoint.write(out, reference.model, SPEC, TOKENS)
    reference = huggingface.Reference(out, SPEC)
    return [reference.text(reference.greedy(seen, [reference.bos], 50)[0], [reference.bos]).split() for seen in inputs]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for seed in range(SEED, SEED + 500):
        captions = make(arguments.out, seed)
        wrong = judge(captions)
        if wrong is None:
            print(f"seed {seed}", *(" ".join(c) for c in captions), sep="\n")
            return
        print(f"seed {seed}: {wrong}", file=sys.stderr)
    sys.exit("no seed in 500 gives captions that can be shown")


if __name__ == "__main__":
    main()
