"""What makes a golden worth having: it must not hang on rounding, and it must hang on every weight."""

import torch

GAP = 0.003   # least distance of the best logit to the second, 30 times the tolerance of the tests
EFFECT = 1e-3  # least effect on the logits when one tensor is changed, 10 times that tolerance


class IllConditioned(Exception):
    pass


def check_steps(name, logits):
    """Greedy steps must be decided clearly."""
    best = logits.topk(2, dim=-1).values
    gap = (best[:, 0] - best[:, 1]).min().item()
    if gap < GAP:
        raise IllConditioned(f"{name}: two tokens only {gap:.4f} apart")


def check_variety(cases):
    """Captions must differ from picture to picture, not only repeat themselves, and one must end."""
    greedy = [c for c in cases if c["search"] == "greedy"]
    tails = [tuple(c["ids"][len(c["prompt_ids"]):]) for c in greedy]
    if len(set(tails)) < min(len(tails), 2):
        raise IllConditioned("all captions are the same")
    for tail in tails:
        if len(set(tail)) < min(3, len(tail)):
            raise IllConditioned(f"repetition: {tail}")
        if len(tail) < 2:
            raise IllConditioned("an empty caption")
    if all(c["truncated"] for c in greedy):
        raise IllConditioned("no caption ends")


def check_weights_matter(reference, goldens):
    """Each tensor, changed by a little, must show in some golden's logits. Key biases cannot: softmax cancels them."""
    cases = goldens.logit_cases()
    parameters = dict(reference.model.named_parameters())
    for name, parameter in parameters.items():
        if "key.bias" in name or "k_proj.bias" in name:
            continue
        kept = parameter.data.clone()
        parameter.data = _changed(kept)
        effect = max((reference.logits(seen, ids) - before).abs().max().item() for seen, ids, before in cases())
        parameter.data = kept
        if effect < EFFECT:
            raise IllConditioned(f"{name} hardly matters: {effect:.1e}")


def _changed(values):
    # one of a hundred numbers or at least one, spread over the tensor, moved by a tenth of the tensor's size
    flat = values.clone().flatten()
    flat[:: max(1, min(37, len(flat) // 4))] += 0.1 * values.std().clamp_min(1e-3)
    return flat.view_as(values)
