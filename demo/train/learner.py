"""The model as it learns: transformers' modules, run so that all texts about a clip share its image tokens, and the linear
heads that tell each part what it is to see. The heads are thrown away."""

import torch
from torch import nn
from torch.nn import functional as F
from transformers import GitConfig, GitForCausalLM

from samples import FRAMES, NONE, PATCHES
from words import COLOURS, MOTIONS, SHAPES, TOKENS

WIDTH, HEADS = 128, 4
KINDS = (len(MOTIONS) + 1, len(SHAPES) + 1, len(COLOURS) + 1)  # 0: no object


def config():
    vision = dict(hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=4, num_attention_heads=HEADS,
                  image_size=64, patch_size=16, initializer_range=0.05)
    return GitConfig(vision_config=vision, vocab_size=len(TOKENS), hidden_size=WIDTH, intermediate_size=4 * WIDTH,
                     num_hidden_layers=3, num_attention_heads=HEADS, max_position_embeddings=64, initializer_range=0.05,
                     hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                     num_image_with_embedding=FRAMES, bos_token_id=TOKENS.index("[CLS]"), eos_token_id=TOKENS.index("[SEP]"),
                     pad_token_id=0)


class Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = GitForCausalLM(config())
        for p in self.model.git.img_temperal_embedding:
            nn.init.normal_(p, std=0.3)  # zero takes long to leave
        self.patch = nn.Linear(WIDTH, KINDS[1] + KINDS[2] + 3)
        self.sides = nn.Linear(WIDTH, 2 * (KINDS[1] + KINDS[2] + 3))
        self.doing = nn.Linear(WIDTH, 2 * sum(KINDS))
        self.word, self.mark = nn.Linear(WIDTH, 2), nn.Linear(WIDTH, 2)

    def eye(self, pixels):
        """Features [B, F, 1 + patches, WIDTH] of pictures [B, F, side, side, 3] in 0..255."""
        b, f = pixels.shape[:2]
        scaled = pixels.flatten(0, 1).permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.model.git.image_encoder(scaled).last_hidden_state.unflatten(0, (b, f))

    def read(self, features, batch):
        """The states that enter each layer of the decoder and leave the last: of the image tokens, then of the texts."""
        git = self.model.git
        b, f = features.shape[:2]
        if f > 1:
            features = features + torch.stack([p[0] for p in git.img_temperal_embedding], 1)[:, :, None]
        images = git.visual_projection(features.flatten(1, 2))
        words = git.embeddings(input_ids=batch.ids, position_ids=batch.position)
        n = images.shape[1]
        x = torch.cat([images.to(words.dtype), words], 1)
        mask = self.mask(batch.segment, n)
        states = [x]
        for layer in git.encoder.layer:
            x = self.layer(layer, x, mask)
            states.append(x)
        return [(s[:, :n].unflatten(1, (f, -1)), s[:, n:]) for s in states]

    @staticmethod
    def mask(segment, images):
        """What may look at what [B, 1, T, T], 0 or very little: images at images, words at images and at the words before them
        of their text."""
        b, length = segment.shape
        mask = torch.zeros(b, images + length, images + length, dtype=torch.bool)
        mask[:, :, :images] = True
        same = segment[:, :, None] == segment[:, None, :]
        mask[:, images:, images:] = same & torch.ones(length, length, dtype=torch.bool).tril()
        return torch.zeros(mask.shape).masked_fill(~mask, -1e4)[:, None]

    @staticmethod
    def layer(layer, x, mask):
        own, out = layer.attention.self, layer.attention.output
        q, k, v = (p(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in (own.query, own.key, own.value))
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + mask.to(q.dtype)).softmax(-1)  # faster than torch's own here
        seen = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        x = out.LayerNorm(out.dense(seen) + x)
        return layer.output.LayerNorm(layer.output.dense(layer.intermediate(x)) + x)

    def losses(self, batch, seeing, frozen):
        """What is to be made small, by name. seeing: the eye's heads alone."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            features = self.eye(batch.pixels)
        losses = {}
        if not frozen:
            losses["patch"], losses["half"] = self.patches(features, batch), self.halves(features, batch)
        if seeing:
            return losses
        states = self.read(features, batch)
        logits = self.model.output(states[-1][1])
        captions = torch.zeros_like(batch.label, dtype=torch.bool)
        for r, kind, first, end in batch.kinds:
            captions[r, first:end] = kind == "caption"
        for name, mine in (("caption", captions), ("answer", ~captions)):
            label = batch.label.where(mine, torch.tensor(NONE))
            losses[name] = cross(logits, label)
        losses["doing"] = self.doings(states[-2][0], batch)
        losses["word"] = cross(self.word(states[1][1]), batch.meant)
        losses["mark"] = cross(self.mark(states[-2][1]), batch.mark)
        return losses

    def patches(self, features, batch):
        """Every patch tells what is nearest to it, if that is near."""
        out = self.patch(features[:, :, 1:])
        centre = (torch.arange(PATCHES) + 0.5) / PATCHES
        at = torch.stack([centre.repeat(PATCHES), centre.repeat_interleave(PATCHES)], 1)
        shows, x, y, r = batch.track.unbind(-1)
        way = torch.stack([x, y], -1)[:, :, None] - at[:, None]  # [B, F, patches, 2 objects, 2]
        far = way.norm(dim=-1) - 1.2 * r[:, :, None] + 10 * (1 - shows[:, :, None])
        gap, nearest = far.min(-1)
        near = gap < 0.6 / PATCHES
        kinds = batch.object[:, None, None, :, 1:].expand(*far.shape, 2)
        kind = kinds.gather(3, nearest[..., None, None].expand(*nearest.shape, 1, 2))[..., 0, :] * near[..., None]
        way = way.gather(3, nearest[..., None, None].expand(*nearest.shape, 1, 2))[..., 0, :]
        size = r[:, :, None].expand_as(far).gather(3, nearest[..., None])
        return told(out, kind, torch.cat([way, size], -1), near)

    def halves(self, features, batch):
        """The class token tells what is in the left and in the right half."""
        out = self.sides(features[:, :, 0]).unflatten(-1, (2, -1))
        shows, x, y, r = batch.track.unbind(-1)
        kind = torch.zeros(*shows.shape, 2, dtype=torch.long)
        place = torch.zeros(*shows.shape, 3)
        for side in range(2):
            mine = (shows > 0) & ((x >= 0.5) == bool(side))
            for i in range(2):
                m = mine[:, :, i]
                kind[:, :, side] = torch.where(m[..., None], batch.object[:, None, i, 1:], kind[:, :, side])
                place[:, :, side] = torch.where(m[..., None], batch.track[:, :, i, 1:], place[:, :, side])
        return told(out, kind, place, kind[..., 0] > 0)

    def doings(self, images, batch):
        """Every frame's class token tells what the first and the second object are and do."""
        out = self.doing(images[:, :, 0]).unflatten(-1, (2, -1)).float()
        loss = 0
        for i, part in enumerate(out.split(KINDS, -1)):
            label = batch.object[:, None, :, i].expand(part.shape[:-1])
            loss = loss + F.cross_entropy(part.flatten(0, -2), label.flatten())
        return loss / 3


def cross(logits, label):
    if not (label != NONE).any():
        return logits.sum() * 0
    return F.cross_entropy(logits.flatten(0, -2).float(), label.flatten(), ignore_index=NONE)


def told(out, kind, place, there):
    """Loss of a head that tells shape, colour and place."""
    shape, colour, guess = out.float().split((KINDS[1], KINDS[2], 3), -1)
    loss = F.cross_entropy(shape.flatten(0, -2), kind[..., 0].flatten())
    loss = loss + F.cross_entropy(colour.flatten(0, -2), kind[..., 1].flatten())
    off = F.smooth_l1_loss(guess, 10 * place, reduction="none", beta=0.1).sum(-1)
    return loss + (off * there).sum() / there.sum().clamp(min=1)
