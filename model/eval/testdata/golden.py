"""Makes the golden files of model/eval from the reference implementations.

    python golden.py VQAEVAL M4C

VQAEVAL is PythonEvaluationTools/vqaEvaluation/vqaEval.py of github.com/GT-Vision-Lab/VQA at
a013f00,
M4C is mmf/utils/m4c_evaluators.py of github.com/facebookresearch/mmf at b0ffc7f. Needs
Python 3.11 (lib2to3), pycocoevalcap 1.2 and a Java runtime (17.0.15 was used); Java must
read the captions as what they are, UTF-8.
"""

import importlib.util
import json
import os
import random
import sys
from lib2to3.refactor import RefactoringTool, get_fixers_from_package
from pathlib import Path

os.environ["JAVA_TOOL_OPTIONS"] = "-Dfile.encoding=UTF-8"

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

here = Path(__file__).parent
chance = random.Random(4)


def write(name, rows):
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (here / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def texts():
    """The captions written for this, and what chance makes of their words."""
    lines = (here / "captions.txt").read_text(encoding="utf-8").split("\n")[:-1]
    words = [w for line in lines for w in line.split(" ") if w]
    glue = ["", "-", "'", ".", ",", "/", ":", "&", "(", ")", "_", '"'] + [" "] * 8
    for _ in range(200):
        lines.append(" ".join(chance.choice(words) for _ in range(chance.randint(2, 8))))
    for _ in range(200):
        n = chance.randint(1, 5)
        lines.append("".join(chance.choice(words) + chance.choice(glue) for _ in range(n)))
    # in the reference the tail of a line sees the next one, final sigmas and characters
    # beyond 16 bits have corners of their own: the package's comments say so
    return [t for t in lines if "Σ" not in t and not ("😀" in t and "http" in t)]


def tokens():
    """Each text is followed by a word that no rule minds, as the package assumes."""
    given = texts()
    captions = {i: [{"caption": t}, {"caption": "z"}] for i, t in enumerate(given)}
    cut = PTBTokenizer().tokenize(captions)
    assert all(c[1] == "z" for c in cut.values())
    write("tokens.jsonl", [{"text": t, "tokens": cut[i][0]} for i, t in enumerate(given)])


def world():
    """Made-up captions: candidates that are near their references."""
    things = ["circle", "square", "red circle", "blue square", "green triangle", "small dog"]
    deeds = ["moves left", "moves to the left", "jumps", "stands still", "turns around slowly"]
    for i in range(40):
        thing, deed = chance.choice(things), chance.choice(deeds)
        references = []
        for _ in range(chance.randint(1, 5)):
            article = chance.choice(["a", "the", "one"])
            other = chance.choice([deed, deed, chance.choice(deeds)])
            references.append(f"{article} {thing} {other}" + chance.choice(["", "", " on a table"]))
        candidate = f"a {chance.choice([thing, thing, chance.choice(things)])} {deed}"
        if i % 10 == 9:
            candidate = chance.choice(["", "a", "a a a a a a a", references[0]])
        yield candidate, references


def captions():
    pairs = list(world())
    candidates = {i: [c] for i, (c, _) in enumerate(pairs)}
    references = {i: r for i, (_, r) in enumerate(pairs)}
    bleu, _ = Bleu(4).compute_score(references, candidates, verbose=0)
    rouge, rouges = Rouge().compute_score(references, candidates)
    cider, ciders = Cider().compute_score(references, candidates)
    rows = [{"candidate": c, "references": r, "rouge_l": float(rouges[i]), "cider_d": float(ciders[i])}
            for i, (c, r) in enumerate(pairs)]
    write("captions.jsonl", [{"bleu": [float(b) for b in bleu], "rouge_l": float(rouge), "cider_d": float(cider)}] + rows)


def load(path, python2=False):
    """A module from a file; Python 2 is translated first."""
    source = Path(path).read_text(encoding="utf-8")
    if python2:
        source = str(RefactoringTool(get_fixers_from_package("lib2to3.fixes")).refactor_string(source, path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", loader=None))
    exec(compile(source, path, "exec"), module.__dict__)
    return module


class Questions:
    """What vqaEval.py asks of its data."""

    def __init__(self, answers):
        self.qa = answers

    def getQuesIds(self):
        return list(self.qa)


def answer_texts(contractions):
    words = ["yes", "no", "Yes", "two", "2", "None", "zero", "ten", "the cat", "a cat", "an apple", "red, white",
             "1,000", "1,000 people, many", "3.5", "3.", "mr. smith", "u.s.a.", ".5", "5 p.m.", "black/white", "black / white",
             "t-shirt", "t - shirt", "man's", "mans", "[x]", "what?", "what ?", "a_b", "left;right", "left; right", "a\nb",
             "a\tb ", " padded ", "\"stop\"", "\"stop\" sign", "10:30", "$5", "50%", "it's", "its", "don`t", "don`t go",
             "a@b", "2 + 2 = 4", "2+2=4", "(yes)", "the", "", "café", "one two three", "1,2", "1,,2", "x, 1,2", "LETS", "lets"]
    return words + sorted(contractions) + sorted(set(contractions.values()))


def answers(vqa_path, m4c_path):
    VQAEval = load(vqa_path, python2=True).VQAEval
    VQAEval.updateProgress = lambda self, progress: None
    m4c = load(m4c_path)
    plain = VQAEval(Questions({}), None)
    process = m4c.EvalAIAnswerProcessor()
    given = answer_texts(plain.contractions)

    def normal(text):
        text = text.replace("\n", " ").replace("\t", " ").strip()
        return plain.processDigitArticle(plain.processPunctuation(text))

    write("answers.jsonl", [{"text": t, "vqa": normal(t), "textvqa": process(t)} for t in given])
    rows = []
    for i in range(300):
        pool = [chance.choice(given) for _ in range(chance.randint(1, 5))]
        ten = [chance.choice(pool) for _ in range(10)]
        said = chance.choice(pool + [chance.choice(given)])
        judge = VQAEval(
            Questions({0: {"question_type": "", "answer_type": "",
                           "answers": [{"answer": a, "answer_id": k} for k, a in enumerate(ten)]}}),
            Questions({0: {"answer": said}}), n=9)
        judge.evaluate()
        text = m4c.TextVQAAccuracyEvaluator().eval_pred_list([{"pred_answer": said, "gt_answers": ten}])
        rows.append({"text": said, "answers": ten, "vqa": judge.accuracy["overall"] / 100, "textvqa": text})
    write("accuracies.jsonl", rows)


if __name__ == "__main__":
    tokens()
    captions()
    answers(*sys.argv[1:])
