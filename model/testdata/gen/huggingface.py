"""The reference for everything but Microsoft's own code: transformers 4.56.2 on the folder as it lies on disk."""

import json

import numpy as np
import torch
from transformers import AutoTokenizer, CLIPImageProcessor, GitForCausalLM, VideoMAEImageProcessor
from transformers.generation.logits_process import LogitsProcessor

NOISE = 1e-4  # the searches must come out the same under errors of this size


class Reference:
    """A loaded checkpoint: inputs(), greedy(), beams(), score()."""

    def __init__(self, folder, spec):
        self.folder, self.spec = folder, spec
        self.model = load(folder, spec)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = load_processor(folder)
        self.bos, self.eos = self.model.generation_config.bos_token_id, self.model.generation_config.eos_token_id

    def pixels(self, pictures):
        """uint8 [F,H,W,3] before normalising and float32 [F,3,H,W] after."""
        video = isinstance(self.processor, VideoMAEImageProcessor)

        def run(**more):
            batch = self.processor(images=pictures, return_tensors="np", **more)["pixel_values"]
            return batch[0] if video else batch

        raw = run(do_normalize=False, do_rescale=False)
        assert np.array_equal(raw, raw.astype(np.uint8))
        return raw.astype(np.uint8).transpose(0, 2, 3, 1), run().astype(np.float32)

    def look(self, pixels, still):
        """What the model sees: features [F,N,V] before the temporal embedding, image tokens [F*N,D]."""
        seen = self._arrange(torch.from_numpy(pixels), still)
        git = self.model.git
        with torch.no_grad():
            frames = [git.image_encoder(p[None], interpolate_pos_encoding=True).last_hidden_state
                      for p in torch.from_numpy(pixels)]
            features = torch.cat(frames).numpy().copy()
            if seen["pixel_values"].ndim == 5:
                frames = [f + git.img_temperal_embedding[i] for i, f in enumerate(frames)]
            projected = git.visual_projection(torch.cat(frames, dim=1))[0].numpy()
        return seen, features, projected

    def _arrange(self, pixels, still):
        if self.model.config.num_image_with_embedding is None or still:
            assert len(pixels) == 1
            return {"pixel_values": pixels}
        return {"pixel_values": pixels[None]}

    def prompt(self, question):
        """[CLS] question, at most 40 tokens of it read and of those the last 38 kept, as Microsoft does."""
        ids = []
        if question:
            ids = self.tokenizer(question, add_special_tokens=False, truncation=True, max_length=40)["input_ids"][-38:]
        return [self.bos] + ids

    def logits(self, seen, ids):
        """Logits [len(ids), vocabulary] of one uncached pass."""
        with torch.no_grad():
            out = self.model(input_ids=torch.tensor([ids]), use_cache=False, interpolate_pos_encoding=True, **seen)
        return out.logits[0, -len(ids):]

    def greedy(self, seen, prompt, max_length):
        """ids with prompt and end token, raw logits of each step [steps, vocabulary]."""
        side = self.model.config.vision_config.image_size
        if tuple(seen["pixel_values"].shape[-2:]) != (side, side):
            return self._greedy_uncached(seen, prompt, max_length)
        more = {} if max_length is None else {"max_length": max_length}
        out = self.model.generate(input_ids=torch.tensor([prompt]), do_sample=False, num_beams=1, output_logits=True,
                                  return_dict_in_generate=True, **seen, **more)
        return out.sequences[0].tolist(), torch.cat(out.logits)

    def _greedy_uncached(self, seen, prompt, max_length):
        # generate() cannot pass interpolate_pos_encoding on in 4.56
        ids, rows = list(prompt), []
        while len(ids) < max_length:
            rows.append(self.logits(seen, ids)[-1])
            ids.append(rows[-1].argmax().item())
            if ids[-1] == self.eos:
                break
        return ids, torch.stack(rows)

    def beams(self, seen, prompt, case, noise=None):
        """Every kept hypothesis, best first: (ids with prompt and end token, score)."""
        out = self.model.generate(
            input_ids=torch.tensor([prompt]), do_sample=False, num_beams=case["beams"], num_return_sequences=case["beams"],
            length_penalty=case["length_penalty"], max_length=case["max_length"], return_dict_in_generate=True,
            output_scores=True, logits_processor=[noise] if noise else [], **seen)
        hypotheses = []
        for ids, score in zip(out.sequences.tolist(), out.sequences_scores.tolist()):
            end = ids.index(self.eos, len(prompt)) + 1 if self.eos in ids[len(prompt):] else len(ids)
            hypotheses.append((ids[:end], score))
        return hypotheses

    def text(self, ids, prompt):
        return self.tokenizer.batch_decode([ids[len(prompt):]], skip_special_tokens=True)[0]

    def probabilities(self, seen, ids, prompt):
        """The probability of each token after the prompt."""
        rows = self.logits(seen, ids)[len(prompt) - 1:-1].double().softmax(-1)
        return [rows[i, t].item() for i, t in enumerate(ids[len(prompt):])]

    def label_ids(self, label):
        return self.tokenizer(label, add_special_tokens=False)["input_ids"] + [self.eos]


class Noise(LogitsProcessor):
    """A disturbance as large as any honest difference between two implementations."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids, scores):
        return scores + NOISE * (2 * torch.rand(scores.shape, generator=self.generator) - 1)


def load(folder, spec):
    """GitForCausalLM in float32. Only the spelling img_temporal_embedding, unknown to 4.56.2, needs help."""
    model = GitForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    if spec.get("temporal"):
        from safetensors.torch import load_file
        for name, value in load_file(folder / spec["weights"]).items():
            if name.startswith("git.img_temporal_embedding."):
                model.git.img_temperal_embedding[int(name.rsplit(".", 1)[1])].data = value.float()
    return model.eval()


def load_processor(folder):
    """The slow image processor that the folder names; processor_config.json's nested form is newer than 4.56.2."""
    path = folder / "preprocessor_config.json"
    if path.exists():
        config = json.loads(path.read_text())
    else:
        config = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    kind = config["image_processor_type"].removesuffix("Fast")
    return {"CLIPImageProcessor": CLIPImageProcessor, "VideoMAEImageProcessor": VideoMAEImageProcessor}[kind].from_dict(config)
