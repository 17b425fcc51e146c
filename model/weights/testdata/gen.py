"""Makes the files of this folder: python gen.py (torch 2.8.0, safetensors, numpy).

Run by hand; the tests read the files. unsafe/*.bin must never be loaded with Python's pickle:
each writes the file PWNED in the working directory when it is.
"""

import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent


def tensors():
    torch.manual_seed(1)
    base = torch.randn(6, 4)
    return OrderedDict(
        single=torch.randn(3, 5),
        half=torch.randn(2, 3).half(),
        brain=torch.randn(4).bfloat16(),
        double=torch.randn(2, dtype=torch.float64),
        ids=torch.arange(7),
        flags=torch.tensor([True, False]),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        base=base,
        rows=base[2:5],
        columns=base[:, 1:3],
        turned=base.t(),
        every_other=base[::2],
        permuted=torch.randn(2, 3, 4).permute(2, 0, 1),
        tied=base,
    )


def content(t):
    return t.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""


def write(name, value, **more):
    torch.save(value, HERE / name, **more)


class Call:
    def __init__(self, function, *args):
        self.parts = function, args

    def __reduce__(self):
        return self.parts


def archive(name, pickled):
    with zipfile.ZipFile(HERE / "unsafe" / name, "w") as z:
        z.writestr("archive/data.pkl", pickled)
        z.writestr("archive/version", "3\n")


def main():
    want = tensors()
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
             torch.int64: "I64", torch.bool: "BOOL"}
    (HERE / "want.json").write_text(json.dumps({
        k: {"dtype": names[t.dtype], "shape": list(t.shape), "hex": content(t).hex(), "contiguous": t.is_contiguous()}
        for k, t in want.items()}, indent=1) + "\n")
    save_file({k: t.contiguous().clone() for k, t in want.items()}, HERE / "good.safetensors", {"format": "pt"})
    write("good.bin", want)
    write("dict.bin", dict(want))
    write("parameter.bin", OrderedDict(p=torch.nn.Parameter(torch.ones(2))))
    model = torch.nn.Linear(2, 3)
    write("module.bin", model.state_dict())
    write("legacy.bin", OrderedDict(a=torch.ones(1)), _use_new_zipfile_serialization=False)
    write("protocol4.bin", OrderedDict(a=torch.ones(1)), pickle_protocol=4)
    write("expanded.bin", OrderedDict(a=torch.ones(1).expand(1000)))
    write("nested.bin", {"state_dict": OrderedDict(a=torch.ones(1)), "epoch": 3})
    write("whole.bin", model)
    command = "touch PWNED"
    evil = {
        "system": Call(os.system, command),
        "eval": Call(eval, "open('PWNED', 'w')"),
        "nested": OrderedDict(a=torch.ones(1).numpy().tolist(), b=[{"c": Call(os.system, command)}]),
        "getattr": Call(getattr, "x", "y"),
    }
    for name, value in evil.items():
        for protocol in (0, 2, 4):
            archive(f"{name}-{protocol}.bin", pickle.dumps(value, protocol=protocol))
    archive("inst.bin", b"(S'touch PWNED'\nios\nsystem\n.")
    archive("obj.bin", b"(cos\nsystem\nS'touch PWNED'\no.")


if __name__ == "__main__":
    main()
