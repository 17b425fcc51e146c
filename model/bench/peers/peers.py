"""The peers of `captiond bench --peers`: the same weights, sizes, threads and tokens in PyTorch on the CPU.

    python peers.py FOLDER [--threads N] [--tokens N] [--prompt IDS] [--isa ISA] [--no-compile]

FOLDER is a checkpoint; the packages are those of model/testdata/gen/requirements.txt. The peers:

    transformers       generate() of transformers 4.56.2 as users call it, float32
    cached float32     written by hand, caching all one can: the encoder runs once for each frame, keys and values of the image
                       tokens are computed once, those of the text are written behind them in place; one product for query,
                       key and value; fused attention (scaled_dot_product_attention); inference_mode
    cached bfloat16    the same with weights and activations in bfloat16
    plain float32      cached float32 as it is written, where that is not the fastest way
    plain bfloat16     likewise

The cached ones are made in several ways: as written, with weights that oneDNN has laid out and activations
fused into the products, and by torch.compile with frozen weights (C++ compiler needed; else left out). Each way is timed at the
start and the fastest is kept; "ways" says how they did.

It is a server. What it says are JSON objects, one on a line of standard output; first, versions, ways and the like. Then each
line of standard input is a command and is answered:

    run PEER           one clip, from pixels to exactly N tokens: {"seconds": S}
    verify             cached float32, as it was timed, against transformers after its run, or on two tokens before:
                       {"tokens": T, "error": E, "same": true}, E being the largest difference of logits

Between commands it sleeps: its threads do not spin, so whoever is measured in between has the machine."""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=0, help="0: one for each core")
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--prompt", default="", help="ids of a question's tokens, separated by commas")
    parser.add_argument("--isa", default="", help="limit of oneDNN's instruction set, such as AVX512_CORE_VNNI")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    return parser.parse_args()


if __name__ == "__main__":
    ARGUMENTS = arguments()
    # Read by the libraries as they are loaded, hence before them.
    os.environ.update(OMP_WAIT_POLICY="PASSIVE", KMP_BLOCKTIME="0", TORCHINDUCTOR_FREEZING="1", TOKENIZERS_PARALLELISM="false")
    if ARGUMENTS.isa:
        os.environ["ONEDNN_MAX_CPU_ISA"] = ARGUMENTS.isa

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import transformers  # noqa: E402
from torch import nn  # noqa: E402
from transformers import GitForCausalLM  # noqa: E402

BOS, EOS = 101, 102
QUICK = 1.702  # of QuickGELU, x * sigmoid(1.702 x)
ROOM = 128  # tokens of text that a cache has room for, the prompt among them


class Packed(nn.Module):
    """A linear layer whose weights oneDNN has laid out for it, with the activation in the same kernel."""

    ATTRIBUTES = {"none": ("none", [], ""), "silu": ("swish", [], ""), "gelu": ("gelu", [], "none")}

    def __init__(self, linear, activation):
        super().__init__()
        self.weight, self.bias = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach()), linear.bias.detach()
        self.attributes = self.ATTRIBUTES[activation]

    def forward(self, x):
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, *self.attributes)


class Plain(nn.Module):
    def __init__(self, linear, activation):
        super().__init__()
        self.linear, self.activation = linear, {"none": lambda x: x, "silu": F.silu, "gelu": F.gelu}[activation]

    def forward(self, x):
        return self.activation(self.linear(x))


class Layer(nn.Module):
    """The products of a transformer layer."""

    def __init__(self, make, qkv, out, mlp, activation):
        super().__init__()
        first, second = mlp
        if activation == "silu":  # x sigmoid(c x) = silu(c x) / c, and c can be part of the weights
            first, second = scaled(first, QUICK, QUICK), scaled(second, 1 / QUICK, 1)
        self.qkv, self.out = make(joined(qkv), "none"), make(out, "none")
        self.first, self.second = make(first, activation), make(second, "none")


class Cached(nn.Module):
    """GIT by hand. The numbers are those of transformers.models.git.modeling_git."""

    def __init__(self, model, make):
        super().__init__()
        git, self.config = model.git, model.config
        self.vision, self.embeddings = git.image_encoder.vision_model, git.embeddings
        self.heads = self.config.num_attention_heads, self.config.vision_config.num_attention_heads
        kernel = self.vision.embeddings.patch_embedding.weight
        patches = nn.Linear(kernel[0].numel(), len(kernel), dtype=kernel.dtype)
        patches.weight.data, patches.bias.data = kernel.flatten(1), torch.zeros_like(patches.bias)
        self.patches = make(patches, "none")
        self.encoder = nn.ModuleList(
            Layer(make, (a.q_proj, a.k_proj, a.v_proj), a.out_proj, (layer.mlp.fc1, layer.mlp.fc2), "silu")
            for layer in self.vision.encoder.layers for a in [layer.self_attn])
        self.decoder = nn.ModuleList(
            Layer(make, (a.self.query, a.self.key, a.self.value), a.output.dense, (layer.intermediate.dense, layer.output.dense), "gelu")
            for layer in git.encoder.layer for a in [layer.attention])
        self.text = git.encoder.layer
        linear, self.projection_norm = git.visual_projection.visual_projection
        self.projection, self.head = make(linear, "none"), make(model.output, "none")
        self.temporal = None
        if self.config.num_image_with_embedding:
            self.temporal = torch.cat([p.detach() for p in git.img_temperal_embedding])

    def encode(self, pixels):
        """pixels [n, 3, H, W] -> features [n, N, V]."""
        vision, size = self.vision, self.config.vision_config.patch_size
        n, c, h, w = pixels.shape
        x = pixels.reshape(n, c, h // size, size, w // size, size).permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * size * size)
        x = torch.cat([vision.embeddings.class_embedding.expand(n, 1, -1), self.patches(x)], 1)
        x = vision.pre_layrnorm(x + vision.embeddings.position_embedding.weight)
        for layer, norms in zip(self.encoder, vision.encoder.layers):
            x = x + layer.out(attend(*cut(layer.qkv(norms.layer_norm1(x)), self.heads[1])))
            x = x + layer.second(layer.first(norms.layer_norm2(x)))
        return vision.post_layernorm(x)

    def begin(self, features):
        """Keys and values [1, h, s, d] of the image tokens, for each layer."""
        if self.temporal is not None:
            features = features + self.temporal[:len(features)]
        x = self.projection_norm(self.projection(features.reshape(1, -1, features.shape[-1])))
        images = []
        for i, layer in enumerate(self.decoder):
            q, k, v = cut(layer.qkv(x), self.heads[0])
            images += [k, v]
            if i + 1 < len(self.decoder):
                x = self.after(x, attend(q, k, v), i)
        return images

    def after(self, x, attended, i):
        layer, norms = self.decoder[i], self.text[i]
        x = norms.attention.output.LayerNorm(x + layer.out(attended))
        return norms.output.LayerNorm(x + layer.second(layer.first(x)))

    def step(self, ids, positions, caches, at):
        """Logits after ids [n], which stand at positions [n] of the text and at place at of the caches."""
        e, n = self.embeddings, ids.shape[0]
        x = e.LayerNorm(e.word_embeddings.weight[ids] + e.position_embeddings.weight[positions])[None]
        # The tokens of a prompt do not see later ones.
        mask = torch.ones(n, at + n, dtype=torch.bool).tril(at) if n > 1 else None
        for i in range(len(self.decoder)):
            q, k, v = cut(self.decoder[i].qkv(x), self.heads[0])
            keys, values = caches[2 * i], caches[2 * i + 1]
            keys[:, :, at:at + n], values[:, :, at:at + n] = k, v
            x = self.after(x, attend(q, keys[:, :, :at + n], values[:, :, :at + n], mask), i)
        return self.head(x[0, -1:])[0]

    @torch.inference_mode()
    def generate(self, pixels, prompt, count, follow=None):
        """count tokens, greedily and never the end, and the logits of each; follow: tokens to go on with instead."""
        images = self.begin(self.encode(pixels.to(self.embeddings.LayerNorm.weight.dtype)))
        caches, image = [room(x) for x in images], images[0].shape[2]
        ids, past, tokens, logits = torch.tensor(prompt), 0, [], []
        for i in range(count):
            now = self.step(ids, torch.arange(past, past + len(ids)), caches, image + past)
            past += len(ids)
            logits.append(now.float())
            unending = now.clone()
            unending[EOS] = -torch.inf
            tokens.append(int(unending.argmax()))
            ids = torch.tensor([tokens[-1] if follow is None else follow[i]])
        return tokens, torch.stack(logits)


def joined(linears):
    """One linear layer in place of several that look at the same."""
    weight, bias = torch.cat([x.weight for x in linears]), torch.cat([x.bias for x in linears])
    return with_weights(weight, bias)


def scaled(linear, weight, bias):
    return with_weights(linear.weight * weight, linear.bias * bias)


def with_weights(weight, bias):
    linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    linear.weight.data, linear.bias.data = weight.detach(), bias.detach()
    return linear


def cut(x, heads):
    """[b, s, 3*D] -> query, key and value [b, h, s, d]."""
    b, s, _ = x.shape
    return x.view(b, s, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)


def attend(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def room(x):
    """A copy of keys or values [1, h, s, d] with room for the text behind them."""
    buffer = x.new_zeros(x.shape[0], x.shape[1], x.shape[2] + ROOM, x.shape[3])
    buffer[:, :, :x.shape[2]] = x
    return buffer


def compiled(model, make):
    cached = Cached(model, make)
    cached.encode, cached.begin = torch.compile(cached.encode, dynamic=False), torch.compile(cached.begin, dynamic=False)
    cached.step = torch.compile(cached.step, dynamic=True)
    return cached


class Peers:
    """The three of them and the clip: noise at the size that the encoder sees."""

    def __init__(self, options):
        self.count = options.tokens
        self.prompt = [BOS] + [int(i) for i in options.prompt.split(",") if i]
        self.model = GitForCausalLM.from_pretrained(options.folder, dtype=torch.float32).eval().requires_grad_(False)
        config = self.model.config
        side, frames = config.vision_config.image_size, config.num_image_with_embedding or 1
        self.pixels = torch.randn(frames, 3, side, side, generator=torch.Generator().manual_seed(0))
        self.said = None  # of transformers: tokens and logits
        self.ways, self.cached = {}, {}  # by precision; the models by way and precision
        for name, dtype in [("float32", torch.float32), ("bfloat16", torch.bfloat16)]:
            self.tried(name, dtype, not options.no_compile)

    def tried(self, name, dtype, compile_too):
        model = self.model
        if dtype != torch.float32:
            model = GitForCausalLM(self.model.config).to(dtype).eval().requires_grad_(False)
            model.load_state_dict(self.model.state_dict())
        ways = {"plain": lambda: Cached(model, Plain), "packed": lambda: Cached(model, Packed)}
        if compile_too:
            ways["compiled"] = lambda: compiled(model, Plain)
        made, seconds = {}, {}
        for way, make in ways.items():
            try:
                made[way] = make()
                made[way].generate(self.pixels, self.prompt, self.count)
                seconds[way] = []
            except Exception as problem:  # no compiler, or an instruction set that oneDNN does not pack for
                print(f"peers: {name} {way} is left out: {str(problem).splitlines()[0]}", file=sys.stderr)
        for _ in range(3):
            for way in seconds:
                seconds[way].append(timed(lambda way=way: made[way].generate(self.pixels, self.prompt, self.count)))
        medians = {way: statistics.median(s) for way, s in seconds.items()}
        best = min(medians, key=medians.get)
        self.ways[name] = {"kept": best, "seconds": {way: round(s, 3) for way, s in medians.items()}}
        self.cached[f"cached {name}"], self.cached[f"plain {name}"] = made[best], made["plain"]

    def generate(self, count):
        """As users call it: one picture, or the frames of a clip."""
        pixels = self.pixels[None] if self.model.config.num_image_with_embedding else self.pixels
        return self.model.generate(
            pixel_values=pixels, input_ids=torch.tensor([self.prompt]), min_new_tokens=count, max_new_tokens=count,
            output_logits=True, return_dict_in_generate=True)

    def transformers(self, count):
        answer = self.generate(count)
        tokens = answer.sequences[0, len(self.prompt):].tolist()
        assert len(tokens) == count, tokens
        self.said = tokens, torch.cat(answer.logits)

    def run(self, peer):
        if peer == "transformers":
            return {"seconds": timed(lambda: self.transformers(self.count))}
        return {"seconds": timed(lambda: self.cached[peer].generate(self.pixels, self.prompt, self.count))}

    def verify(self):
        if self.said is None:
            self.transformers(2)
        tokens, logits = self.said
        ours, our_logits = self.cached["cached float32"].generate(self.pixels, self.prompt, len(tokens), follow=tokens)
        return {"tokens": len(tokens), "error": float((logits - our_logits).abs().max()), "same": ours == tokens}

    def about(self):
        return {"torch": torch.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads(),
                "capability": torch.backends.cpu.get_cpu_capability(), "isa": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
                "ways": self.ways}


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def serve(options):
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(options.threads or os.cpu_count())
    peers = Peers(options)
    print(json.dumps(peers.about()), file=answers)
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        answer = peers.run(rest) if command == "run" else peers.verify()
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    serve(ARGUMENTS)
