"""Reference values for tests/rewards/text_classifier_families_test.cpp.

Writes, beside this script,
  classifiers/t5/        a tiny random T5 with the spiece.model of the tokenizer
                         fixtures; expected.json has texts, words and the words'
                         log-probabilities, for tests/rewards/verdict_test.cpp
  classifiers/<family>/  a tiny random ..ForSequenceClassification of every
                         family as transformers saves it, with a tokenizer of
                         the family's kind trained on the sentences below
  classifiers/<family>/expected.json
                         texts and pairs of texts, their ids, the place of the
                         second segment, the logits [labels], and of single
                         texts in encoders the mean of the last hidden states,
                         scaled to length one

The last layer is rescaled so that every logit spreads by at least 2 over the
texts. All is computed in float64, text by text, without padding.

Made with transformers 5.17.0, torch 2.13, tokenizers 0.23:
  python classifiers.py [FAMILY ..]

A family's model is made again only when it is named or absent, because the
trainers of tokenizers break ties by chance; expected.json always is.
"""

import json
import pathlib
import shutil
import sys

import torch
import transformers
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

HERE = pathlib.Path(__file__).parent / "classifiers"

SENTENCES = [
    "The bakery on our street opens before sunrise.",
    "Nobody buys bread there on a Sunday morning!",
    "My laptop fan has been rattling since the last update.",
    "The bakery is closed, says the owner (she retired).",
    "Where can I return a library book?",
    "ok",
    "Two lines\nand\ta tab, 3.14% of $5!",
    "Caf\u00e9 na\u00efve, \u65e5\u672c\u8a9e and 42 apples.",
    "winter garden " * 6,
]

PAIRS = [(0, 3), (1, 3), (2, 5), (4, 0), (7, 6), (5, 5), (8, 1), (3, 7)]

ENCODER = dict(
    hidden_size=16,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=24,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
DECODER = dict(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=24,
    max_position_embeddings=160,
)


def special(text, **options):
    return AddedToken(text, special=True, normalized=False, **options)


def word_piece(names, template, normalizer=None):
    pad, unknown, begin, end = names
    tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizer or normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=110, show_progress=False, special_tokens=list(names)
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return framed(tokenizer, begin, end, template)


def byte_bpe(names, normalizer=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(names),
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def unigram(names, steps, before, template, unknown):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(before)
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120,
        show_progress=False,
        special_tokens=list(names),
        unk_token=unknown,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return framed(tokenizer, names[template[0]], names[template[1]], template[2])


def framed(tokenizer, begin, end, pair):
    """`pair` is a TemplateProcessing template with B and E for the tokens."""
    write = lambda text: text.replace("B!", begin).replace("E!", end)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin}:0 $A:0 {end}:0",
        pair=write(pair),
        special_tokens=[
            (token, tokenizer.token_to_id(token)) for token in (begin, end)
        ],
    )
    return tokenizer


SEGMENTS = {
    "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
BERT_PAIR = "B!:0 $A:0 E!:0 $B:1 E!:1"
ROBERTA_PAIR = "B!:0 $A:0 E!:0 E!:0 $B:0 E!:0"
SPACES = normalizers.Replace(Regex(" {2,}"), " ")
METASPACE = pre_tokenizers.Metaspace()


def roberta_tokenizer():
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = byte_bpe(names)
    tokenizer.add_special_tokens([special("<mask>", lstrip=True)])
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    return tokenizer


def llama_tokenizer():
    tokenizer = byte_bpe(["<s>", "</s>", "<pad>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s>:0 $A:0",
        pair="<s>:0 $A:0 <s>:1 $B:1",
        special_tokens=[("<s>", 0)],
    )
    return tokenizer


# Family: class of the model, its settings, its tokenizer, what
# tokenizer_config.json says, whether it reads pairs.
FAMILIES = {
    "bert": (
        transformers.BertForSequenceClassification,
        dict(ENCODER, max_position_embeddings=90, type_vocab_size=2),
        lambda: word_piece(["[PAD]", "[UNK]", "[CLS]", "[SEP]"], BERT_PAIR),
        SEGMENTS,
    ),
    "roberta": (
        transformers.RobertaForSequenceClassification,
        dict(ENCODER, max_position_embeddings=202, type_vocab_size=1,
             pad_token_id=1, layer_norm_eps=1e-5),
        roberta_tokenizer,
        {"model_input_names": ["input_ids", "attention_mask"]},
    ),
    "xlm_roberta": (
        transformers.XLMRobertaForSequenceClassification,
        dict(ENCODER, max_position_embeddings=130, type_vocab_size=1,
             pad_token_id=1, layer_norm_eps=1e-5),
        lambda: unigram(
            ["<s>", "<pad>", "</s>", "<unk>"],
            [normalizers.NFKC(), SPACES],
            [pre_tokenizers.WhitespaceSplit(), METASPACE],
            (0, 2, ROBERTA_PAIR), "<unk>"),
        {"model_input_names": ["input_ids", "attention_mask"]},
    ),
    "mpnet": (
        transformers.MPNetForSequenceClassification,
        dict(ENCODER, max_position_embeddings=92, pad_token_id=1,
             relative_attention_num_buckets=32),
        lambda: word_piece(["<s>", "<pad>", "</s>", "[UNK]"], ROBERTA_PAIR),
        {},
    ),
    # v2 of the xlarge kind: a convolution, projections of the positions' own.
    "deberta_v2": (
        transformers.DebertaV2ForSequenceClassification,
        dict(ENCODER, max_position_embeddings=160, type_vocab_size=0,
             relative_attention=True, position_buckets=8,
             norm_rel_ebd="layer_norm", share_att_key=False,
             pos_att_type=["p2c", "c2p"], position_biased_input=True,
             conv_kernel_size=3, conv_act="gelu", pooler_hidden_act="gelu"),
        lambda: unigram(
            ["[PAD]", "[CLS]", "[SEP]", "[UNK]"],
            [normalizers.Lowercase(), SPACES],
            [pre_tokenizers.Punctuation("isolated"), METASPACE],
            (1, 2, BERT_PAIR), "[UNK]"),
        SEGMENTS,
    ),
    "deberta_v3": (
        transformers.DebertaV2ForSequenceClassification,
        dict(ENCODER, max_position_embeddings=160, type_vocab_size=0,
             relative_attention=True, position_buckets=12,
             max_relative_positions=-1, norm_rel_ebd="layer_norm",
             share_att_key=True, pos_att_type=["p2c", "c2p"],
             position_biased_input=False, pooler_hidden_act="gelu"),
        lambda: unigram(
            ["[PAD]", "[CLS]", "[SEP]", "[UNK]"],
            [normalizers.Strip(), SPACES], [METASPACE],
            (1, 2, BERT_PAIR), "[UNK]"),
        SEGMENTS,
    ),
    "modernbert": (
        transformers.ModernBertForSequenceClassification,
        dict(hidden_size=16, num_hidden_layers=4, num_attention_heads=4,
             intermediate_size=24, max_position_embeddings=200,
             local_attention=10, global_attn_every_n_layers=3,
             pad_token_id=0, classifier_pooling="mean"),
        lambda: framed(
            byte_bpe(["[PAD]", "[UNK]", "[CLS]", "[SEP]"], normalizers.NFC()),
            "[CLS]", "[SEP]", BERT_PAIR),
        {"model_input_names": ["input_ids", "attention_mask"]},
    ),
    "gpt2": (
        transformers.GPT2ForSequenceClassification,
        dict(n_embd=16, n_layer=2, n_head=4, n_positions=160,
             pad_token_id=0, bos_token_id=0, eos_token_id=0,
             resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0),
        lambda: byte_bpe(["<|endoftext|>"]),
        {"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    ),
    "llama": (
        transformers.LlamaForSequenceClassification,
        dict(DECODER, pad_token_id=2, bos_token_id=0, eos_token_id=1),
        llama_tokenizer,
        {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"},
    ),
    "qwen2": (
        transformers.Qwen2ForSequenceClassification,
        dict(DECODER, pad_token_id=0, eos_token_id=1),
        lambda: byte_bpe(["<|endoftext|>", "<|im_end|>", "<|im_start|>"]),
        {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"},
    ),
    "qwen3": (
        transformers.Qwen3ForSequenceClassification,
        dict(DECODER, head_dim=8, pad_token_id=0, eos_token_id=1),
        lambda: byte_bpe(["<|endoftext|>", "<|im_end|>", "<|im_start|>"]),
        {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"},
    ),
}

DECODERS = ("gpt2", "llama", "qwen2", "qwen3")
LABELS = ["entailment", "neutral", "contradiction"]


def randomise(model):
    """Weights large enough that every part of the formula shows."""
    generator = torch.Generator().manual_seed(23)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            gain = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(1 + 0.2 * noise if gain else 0.35 * noise)


def texts_of(family):
    if family in DECODERS:
        return [(first, None) for first in SENTENCES]
    pairs = [(SENTENCES[i], SENTENCES[k]) for i, k in PAIRS]
    return [(first, None) for first in SENTENCES] + pairs


def logits_of(model, rows):
    model = model.double()
    with torch.no_grad():
        return torch.cat([
            model(**{key: torch.tensor([value]) for key, value in row.items()})
            .logits for row in rows])


def rows_of(folder, family):
    """The tokenizer's answers, one per text or pair."""
    fast = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    rows = [dict(fast(first, second)) for first, second in texts_of(family)]
    for row in rows:
        row.pop("attention_mask")
    return rows


def make(family, kind, settings, tokenizer, tokenizer_config):
    folder = HERE / family
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizer()
    made.save(str(folder / "tokenizer.json"), pretty=False)
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast", **tokenizer_config}
    (folder / "tokenizer_config.json").write_text(
        json.dumps(tokenizer_config, indent=1) + "\n")
    labels = ["LABEL_0"] if family in DECODERS else LABELS
    config = kind.config_class(
        vocab_size=made.get_vocab_size(),
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        **settings)
    config._attn_implementation = "eager"
    torch.manual_seed(1)
    model = kind(config).eval()
    randomise(model)
    out = getattr(model, "score", None) or model.classifier
    out = getattr(out, "out_proj", out)
    spread = logits_of(model, rows_of(folder, family)).aminmax(dim=0)
    with torch.no_grad():
        factor = 2.0 / (spread.max - spread.min).min()
        if factor > 1:
            for parameter in out.parameters():
                parameter.mul_(factor)
    model.float().save_pretrained(folder)


def embedding_of(model, row):
    base = getattr(model, model.base_model_prefix)
    with torch.no_grad():
        inputs = {key: torch.tensor([value]) for key, value in row.items()}
        hidden = base(**inputs).last_hidden_state[0].mean(0)
    return (hidden / hidden.norm()).tolist()


def write_expected(family, kind):
    folder = HERE / family
    model = kind.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32).eval()
    rows = rows_of(folder, family)
    logits = logits_of(model, rows)
    expected = []
    for (first, second), row, values in zip(
            texts_of(family), rows, logits.tolist()):
        types = row.get("token_type_ids")
        entry = {
            "first": first,
            "second": second,
            "ids": row["input_ids"],
            "segment": types.index(1) if types and 1 in types
            else len(row["input_ids"]),
            "logits": values,
        }
        if second is None and family not in DECODERS:
            entry["embedding"] = embedding_of(model, row)
        expected.append(entry)
    lines = ",\n".join(json.dumps(entry) for entry in expected)
    (folder / "expected.json").write_text(f"[{lines}]\n")
    low, high = logits.aminmax(dim=0)
    print(family, "spread", (high - low).tolist())


WORDS = ["yes", "no", "1", "bakery"]


def write_t5():
    import sentencepiece

    folder = HERE / "t5"
    pieces = HERE.parent.parent / "tokenizers/fixtures/t5/spiece.model"
    if not folder.exists():
        folder.mkdir(parents=True)
        shutil.copy(pieces, folder)
        config = transformers.T5Config(
            vocab_size=280, d_model=16, d_kv=4, d_ff=24, num_layers=2,
            num_heads=4, feed_forward_proj="gated-gelu", dropout_rate=0.0,
            decoder_start_token_id=0, tie_word_embeddings=False)
        config._attn_implementation = "eager"
        model = transformers.T5ForConditionalGeneration(config).eval()
        randomise(model)
        model.save_pretrained(folder)
    model = transformers.T5ForConditionalGeneration.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32)
    model = model.double().eval()
    tokenizer = sentencepiece.SentencePieceProcessor(str(pieces))
    end = 1
    expected = []
    for text in SENTENCES[:5]:
        ids = tokenizer.encode(f"premise: {text} is it so?") + [end]
        words = {}
        for word in WORDS:
            labels = torch.tensor([tokenizer.encode(word)])
            with torch.no_grad():
                logits = model(
                    input_ids=torch.tensor([ids]), labels=labels).logits
            rows = logits.log_softmax(-1).gather(2, labels[:, :, None])
            words[word] = rows.sum().item()
        expected.append({"text": text, "words": words})
    lines = ",\n".join(json.dumps(entry) for entry in expected)
    (folder / "expected.json").write_text(f"[{lines}]\n")
    print("t5", expected[0]["words"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_t5()
    for name, parts in FAMILIES.items():
        if name in sys.argv[1:] or not (HERE / name).exists():
            make(name, *parts)
        write_expected(name, parts[0])
