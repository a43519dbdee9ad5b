"""Writes the fixtures of tests/checkpoints with the formats' own libraries.

Run with numpy, torch, safetensors, gguf and transformers installed:

    python make_fixtures.py [REAL.gguf]

types.safetensors       every type, a scalar, an empty tensor, metadata;
                        written by `safetensors`
types_as_float.safetensors  the floating ones of it, widened by torch
blocks.gguf             random blocks of every tensor type that moft reads and
                        metadata of every value type; written by `gguf`
blocks_as_float.safetensors  its tensors as `gguf` dequantises them
k_blocks.gguf           random blocks of five bits and of 256 elements
k_blocks_as_float.safetensors  its tensors as `gguf` (0.19) dequantises them
sharded/                a tiny Llama saved in shards by `transformers`
sharded_sums.json       checksums of its tensors
real_gguf.json          checksums of dequantised tensors of REAL.gguf
"""

import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import safetensors.torch
import torch

HERE = Path(__file__).parent
BLOCKS = {  # type: (bytes per block, offsets of its fp16 fields)
    gguf.GGMLQuantizationType.Q8_0: (34, [0]),
    gguf.GGMLQuantizationType.Q4_0: (18, [0]),
    gguf.GGMLQuantizationType.Q4_1: (20, [0, 2]),
}
MORE_BLOCKS = {  # the same, in a file of their own
    gguf.GGMLQuantizationType.Q5_0: (22, [0]),
    gguf.GGMLQuantizationType.Q5_1: (24, [0, 2]),
    gguf.GGMLQuantizationType.Q4_K: (144, [0, 2]),
    gguf.GGMLQuantizationType.Q5_K: (176, [0, 2]),
    gguf.GGMLQuantizationType.Q6_K: (210, [208]),
}


def checksum(floats):
    """Position-sensitive sum of the float32 bit patterns, modulo 2^64."""
    bits = np.ascontiguousarray(floats, dtype=np.float32).reshape(-1)
    bits = bits.view(np.uint32).astype(np.uint64)
    weights = np.arange(bits.size, dtype=np.uint64) * np.uint64(2)
    total = np.sum(bits * (weights + np.uint64(1)), dtype=np.uint64)
    return f"{int(total):016x}"


def write_safetensors_fixture():
    random = torch.Generator().manual_seed(1)
    tensors = {}
    for name, dtype in {
        "double": torch.float64, "float": torch.float32,
        "half": torch.float16, "brain": torch.bfloat16,
    }.items():
        values = torch.randn(3, 5, generator=random, dtype=torch.float64)
        tensors[name] = (values * 10).to(dtype)
    for name, dtype in {
        "long": torch.int64, "int": torch.int32, "short": torch.int16,
        "char": torch.int8, "byte": torch.uint8,
    }.items():
        tensors[name] = torch.arange(7).mul(17).to(dtype)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["quote\"é\\"] = torch.tensor([[1.0]])
    safetensors.torch.save_file(
        tensors, HERE / "types.safetensors", metadata={"format": "pt"})
    safetensors.torch.save_file(
        {name: tensor.float().clone() for name, tensor in tensors.items()
         if tensor.is_floating_point()},
        HERE / "types_as_float.safetensors")


def random_blocks(kind, rows, blocks, random):
    """Every byte random, except that the fp16 fields are finite."""
    size, fields = {**BLOCKS, **MORE_BLOCKS}[kind]
    data = random.integers(0, 256, (rows * blocks, size), dtype=np.uint8)
    for field in fields:
        # Any exponent but that of infinity; subnormals included.
        bits = random.integers(0, 1 << 16, rows * blocks).astype(np.uint16)
        infinite = (bits & 0x7C00) == 0x7C00
        bits[infinite] &= 0xBFFF
        data[:, field:field + 2] = bits.view(np.uint8).reshape(-1, 2)
    return data.reshape(rows, blocks * size)


def write_gguf_fixture():
    random = np.random.default_rng(2)
    path = HERE / "blocks.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("kind.u8", 200)
    writer.add_int8("kind.i8", -100)
    writer.add_uint16("kind.u16", 60000)
    writer.add_int16("kind.i16", -30000)
    writer.add_uint32("kind.u32", 4000000000)
    writer.add_int32("kind.i32", -2000000000)
    writer.add_uint64("kind.u64", 2**64 - 1)
    writer.add_int64("kind.i64", -(2**63))
    writer.add_float32("kind.f32", 0.1)
    writer.add_float64("kind.f64", 0.1)
    writer.add_bool("kind.bool", True)
    writer.add_string("kind.string", "h\u00e9llo")
    writer.add_array("kind.strings", ["a", "", "\u4f60\u597d"])
    writer.add_array("kind.ints", [1, -2, 3])
    writer.add_array("kind.floats", [0.5, -0.25])
    writer.add_array("kind.bools", [True, False])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(["<s>", "</s>", "a", "b", "ab"])
    writer.add_token_types([3, 3, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    kinds = gguf.GGMLQuantizationType
    for kind in BLOCKS:
        writer.add_tensor(
            kind.name, random_blocks(kind, 5, 3, random), raw_dtype=kind)
    normal = random.standard_normal((2, 3, 7))
    writer.add_tensor("F32", normal.astype(np.float32))
    writer.add_tensor("F16", normal.astype(np.float16))
    writer.add_tensor("F64", normal)
    bits = random.integers(0, 0x7F80, (4, 6)).astype(np.uint16)
    writer.add_tensor("BF16", bits.view(np.uint8), raw_dtype=kinds.BF16)
    for dtype in (np.int8, np.int16, np.int32, np.int64):
        name = f"I{8 * np.dtype(dtype).itemsize}"
        writer.add_tensor(name, np.arange(-3, 4).astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    floats = {}
    for tensor in gguf.GGUFReader(path).tensors:
        if tensor.tensor_type.name.startswith("I"):
            continue
        data = tensor.data
        if tensor.tensor_type != kinds.F64:
            data = gguf.dequantize(data, tensor.tensor_type)
        shape = [int(size) for size in reversed(tensor.shape)]
        floats[tensor.name] = torch.tensor(
            np.array(data, dtype=np.float32).reshape(shape))
    safetensors.torch.save_file(floats, HERE / "blocks_as_float.safetensors")


def write_k_blocks_fixture():
    random = np.random.default_rng(4)
    path = HERE / "k_blocks.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for kind, (size, _) in MORE_BLOCKS.items():
        writer.add_tensor(
            kind.name, random_blocks(kind, 2, 2 if size > 32 else 5, random),
            raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    safetensors.torch.save_file(
        {tensor.name: torch.tensor(
            gguf.dequantize(tensor.data, tensor.tensor_type))
         for tensor in gguf.GGUFReader(path).tensors},
        HERE / "k_blocks_as_float.safetensors")


def write_sharded_fixture():
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(3)
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, vocab_size=48,
        tie_word_embeddings=False)).to(torch.bfloat16)
    folder = HERE / "sharded"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size="4KB")
    sums = {name: checksum(tensor.float().numpy())
            for name, tensor in model.state_dict().items()}
    (HERE / "sharded_sums.json").write_text(json.dumps(sums, indent=1) + "\n")


def write_real_sums(path):
    tensors = gguf.GGUFReader(path).tensors
    sums = {}
    for tensor in tensors:
        if tensor.name not in ("token_embd.weight", "output_norm.weight",
                               "blk.0.attn_q.weight", "blk.29.ffn_down.weight"):
            continue
        sums[tensor.name] = {
            "type": tensor.tensor_type.name,
            "shape": [int(size) for size in reversed(tensor.shape)],
            "sum": checksum(gguf.dequantize(tensor.data, tensor.tensor_type)),
        }
    content = {"tensors": len(tensors), "sums": sums}
    (HERE / "real_gguf.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write_safetensors_fixture()
    write_gguf_fixture()
    write_k_blocks_fixture()
    write_sharded_fixture()
    if len(sys.argv) > 1:
        write_real_sums(sys.argv[1])
