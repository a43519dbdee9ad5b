"""Writes the small hand-made seeds in corpus/; needs nothing but Python.

The fixtures of tests/reference join them at run time (see run.sh).
"""

import base64
import json
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def put(target, name, content):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes)
                     else content.encode())


def safetensors(header, data):
    text = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(text)) + text.encode() + data


def claim(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_safetensors():
    put("safetensors", "two", safetensors(
        {"__metadata__": {"format": "pt"}, "a": claim("F32", [2, 1], 0, 8),
         "b": claim("BF16", [3], 8, 14)}, bytes(14)))
    put("safetensors", "empty", safetensors({}, b""))
    put("safetensors", "zero_sized", safetensors(
        {"a": claim("F16", [0, 5], 0, 0), "s": claim("I64", [], 0, 8)},
        bytes(8)))


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def scalar(key, kind, layout, value):
    return text(key) + struct.pack("<I" + layout, kind, value)


def string(key, value):
    return text(key) + struct.pack("<I", STRING) + text(value)


def array(key, kind, items):
    return (text(key) + struct.pack("<IIQ", ARRAY, kind, len(items))
            + b"".join(items))


def gguf(values, tensors, data, version=3):
    content = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    content += b"".join(values) + b"".join(tensors)
    return content + bytes(-len(content) % 32) + data


def tensor(name, dimensions, kind, offset):
    return (text(name) + struct.pack("<I", len(dimensions))
            + b"".join(struct.pack("<Q", size) for size in dimensions)
            + struct.pack("<IQ", kind, offset))


def make_gguf():
    letters = [chr(c) for c in range(33, 127)]
    tokens = ["<s>", "</s>"] + letters + ["ab", "abc"]
    tokenizer = [
        string("tokenizer.ggml.model", "gpt2"),
        string("tokenizer.ggml.pre", "smollm"),
        array("tokenizer.ggml.tokens", STRING, [text(t) for t in tokens]),
        array("tokenizer.ggml.token_type", I32,
              [struct.pack("<i", 3 if i < 2 else 1)
               for i in range(len(tokens))]),
        array("tokenizer.ggml.merges", STRING, [text("a b"), text("ab c")]),
        scalar("tokenizer.ggml.bos_token_id", U32, "I", 0),
        scalar("tokenizer.ggml.eos_token_id", U32, "I", 1),
        scalar("tokenizer.ggml.add_bos_token", BOOL, "B", 1),
    ]
    model = [
        string("general.architecture", "llama"),
        scalar("general.alignment", U32, "I", 32),
        scalar("llama.block_count", U32, "I", 1),
        scalar("llama.context_length", U32, "I", 64),
        scalar("llama.embedding_length", U32, "I", 32),
        scalar("llama.feed_forward_length", U32, "I", 64),
        scalar("llama.attention.head_count", U32, "I", 4),
        scalar("llama.attention.head_count_kv", U32, "I", 2),
        scalar("llama.rope.dimension_count", U32, "I", 8),
        scalar("llama.rope.freq_base", F32, "f", 10000.0),
        scalar("llama.attention.layer_norm_rms_epsilon", F32, "f", 1e-5),
        scalar("llama.vocab_size", U32, "I", len(tokens)),
    ]
    tensors = [tensor("blk.0.attn_q.weight", [32, 1], 3, 0),
               tensor("output_norm.weight", [8], 0, 32),
               tensor("blk.0.ffn_up.weight", [32], 8, 64)]
    put("gguf", "model", gguf(model + tokenizer, tensors, bytes(98)))
    put("gguf", "tensors", gguf([], tensors, bytes(98)))
    put("gguf", "tokenizer", gguf(tokenizer, [], b""))
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    pieces += ["\u2581", "h", "e", "he"]
    kinds = [2, 3, 3] + [6] * 256 + [1] * 4
    put("gguf", "sentence_piece", gguf([
        string("tokenizer.ggml.model", "llama"),
        array("tokenizer.ggml.tokens", STRING, [text(t) for t in pieces]),
        array("tokenizer.ggml.scores", F32,
              [struct.pack("<f", -float(i)) for i in range(len(pieces))]),
        array("tokenizer.ggml.token_type", I32,
              [struct.pack("<i", kind) for kind in kinds]),
        scalar("tokenizer.ggml.add_space_prefix", BOOL, "B", 1),
    ], [], b""))
    put("gguf", "empty", gguf([], [], b"", version=2))


def make_tokenizers():
    letters = [chr(c) for c in range(33, 127)] + ["\u0120"]
    vocabulary = {t: i for i, t in enumerate(["<s>"] + letters + ["he", "ll"])}
    base = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{
            "id": 0, "content": "<s>", "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False,
                          "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True,
                    "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "vocab": vocabulary,
                  "merges": ["h e", "l l"]},
    }
    put("tokenizer", "byte_bpe", json.dumps(base))
    split = dict(base, pre_tokenizer={
        "type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "Split", "pattern": {"Regex": "\\s+|\\S+"},
             "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False,
             "trim_offsets": True, "use_regex": False}]})
    put("tokenizer", "split", json.dumps(split))
    words = {t: i for i, t in enumerate(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "##s", "a", ","])}
    put("tokenizer", "word_piece", json.dumps({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": True,
                       "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]",
                  "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": words}}))


SPACE = "\u2581"


def make_piece_tokenizers():
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    pieces += [SPACE, "h", "e", "l", "o", "he", "ll", SPACE + "he"]
    added = [{"id": i, "content": pieces[i], "single_word": False,
              "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for i in range(3)]
    base = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "},
             "content": SPACE}]},
        "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True,
                  "byte_fallback": True,
                  "vocab": {t: i for i, t in enumerate(pieces)},
                  "merges": [["h", "e"], ["l", "l"], [SPACE, "he"]]},
    }
    put("tokenizer", "char_bpe", json.dumps(base))
    # 256 units of a table that leads nowhere, and one empty replacement.
    table = struct.pack("<I", 1024) + bytes(1024) + b"\0"
    metaspace = {"type": "Metaspace", "replacement": SPACE,
                 "prepend_scheme": "always", "split": True}
    put("tokenizer", "unigram", json.dumps(dict(
        base,
        normalizer={"type": "Precompiled", "precompiled_charsmap":
                    base64.b64encode(table).decode()},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, metaspace]},
        decoder=metaspace,
        model={"type": "Unigram", "unk_id": 0, "byte_fallback": False,
               "vocab": [[t, -0.25 * i] for i, t in enumerate(pieces)]})))

    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    def piece(text, score, kind):
        return field(1, field(1, text.encode()) + b"\x15"
                     + struct.pack("<f", score) + bytes([3 << 3, kind]))

    model = b"".join(
        piece(t, -float(i), 2 if i == 0 else 3 if i < 3 else 6 if i < 259
              else 1) for i, t in enumerate(pieces))
    put("tokenizer", "spm", model + field(2, bytes([3 << 3, 2]))
        + field(3, bytes([4 << 3, 0])))


def make_configs():
    put("hf_config", "llama", json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "vocab_size": 128, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "tie_word_embeddings": True, "eos_token_id": [1, 2]}))
    put("hf_config", "qwen3", json.dumps({
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1,
        "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32,
        "vocab_size": 128, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "hidden_act": "silu", "use_sliding_window": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}))
    put("hf_config", "bert", json.dumps({
        "architectures": ["BertModel"], "model_type": "bert",
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 4, "vocab_size": 64, "type_vocab_size": 2,
        "max_position_embeddings": 64, "layer_norm_eps": 1e-12,
        "hidden_act": "gelu", "position_embedding_type": "absolute"}))
    put("hf_config", "index", json.dumps({
        "metadata": {"total_size": 4},
        "weight_map": {"x": "one.safetensors"}}))


def make_adapters():
    put("peft", "settings", json.dumps({
        "peft_type": "LORA", "r": 2, "lora_alpha": 4, "use_rslora": True,
        "target_modules": ".*q_proj", "exclude_modules": ["k_proj"],
        "layers_to_transform": [0, 1], "layers_pattern": "layers",
        "rank_pattern": {"layers\\.1.*": 3}, "alpha_pattern": {"q_proj": 8},
        "init_lora_weights": "gaussian", "modules_to_save": ["norm"],
        "bias": "all"}) + "\n")


def make_recipes():
    put("recipe", "plain", """\
steps: 60
seed: 7
prompts_per_step: 6
optimizer:
  learning_rate: 5e-4
  betas: [0.9, 0.95]
""")
    put("recipe", "yaml", """\
# Every kind of YAML in one place.
a: &anchor {x: 1, 'y': [1, 2.5, .inf, ~]}
b: *anchor
text: |
  two
  lines
folded: >-
  one
  line
? key
: "q\\u00e9\\n"
list:
- - 1
  - null
- yes
""")


def make_chats():
    cases = json.loads(
        (CORPUS.parent.parent / "reference/chat/cases.json").read_text())
    for name, template in cases["templates"].items():
        put("chat", name, template)
    good = [row[0] for row in cases["rows"] if len(row) > 1]
    for number in range(0, len(good), 80):
        put("chat", f"constructs_{number}", "\n".join(good[number:number + 80]))


if __name__ == "__main__":
    make_safetensors()
    make_gguf()
    make_tokenizers()
    make_piece_tokenizers()
    make_configs()
    make_adapters()
    make_recipes()
    make_chats()
