"""The texts whose ids are compared: everyday lines and nasty ones.

A case is a list of parts; a part is a string, a (string, count) repetition or
bytes. Only bytes may be invalid UTF-8: Hugging Face never sees those, so its
input is `bytes.decode("utf-8", "replace")`, and moft promises to equal that.
"""

CASES = [
    [""],
    [" "],
    ["Hello, world!"],
    ["  two spaces before, two after  "],
    ["tabs\tand\t\ttabs, a line\nbreak, a\r\nwindows break, \n\n\n three"],
    ["trailing newline\n"],
    ["\n"],
    ["\n\n  \n \n\t x\n \n"],
    ["no  double   triple    quadruple     spaces"],
    ["I'm sure you're right, we'll see; they've gone, he'd say it's Tom's."],
    ["I'M SURE YOU'RE RIGHT, WE'LL SEE; THEY'VE GONE, HE'D SAY IT'S TOM'S."],
    ["Mixed 'Re 'lL 'T 'vE x'Dy 'sfoo don\u2019t it\u2019s"],
    ["'\u017f '\u017fx a'\u017f K'K \u212a'll"],
    ["0 1 12 123 1234 12345 1234567890 3.14159 1,000,000 x2y3z 007"],
    ["\u0661\u0662\u0663 \u0967\u0968 \u00bd \u00b2x\u00b3 \u2167 \u4e94 \u2460 \U0001d7d9"],
    ["The quick brown fox jumps over the lazy dog. Again: the quick brown fox."],
    ["snake_case CamelCase kebab-case SCREAMING_CASE path/to/file.txt a.b.c"],
    ["def f(x):\n    if x > 0:\n        return [x**2, {'k': \"v\"}]\n\treturn None  # done\n"],
    ["https://example.org/a?b=c&d=%20e#f me@example.org"],
    ["$5.00 + 20% = <b>bold</b> & ~tilde~ `code` ^caret^ |pipe| \\back\\ @at #tag"],
    ["!!! ??? ... --- *** ((())) [[[]]] {{{}}}"],
    ["caf\u00e9 na\u00efve \u00fcber \u00c5ngstr\u00f6m stra\u00dfe \u0130stanbul \u0131\u015f\u0131k \u01c5 \ufb01n"],
    ["cafe\u0301 nai\u0308ve u\u0308ber A\u030angstro\u0308m e\u0301\u0302 I\u0307"],
    ["o\u0302\u0323 o\u0323\u0302 \u1ed9 q\u0323\u0307 q\u0307\u0323 \u212b \u2126 \u1e9b\u0323 \u0344 \u0958"],
    ["a", ("\u0301", 40), ("\u0323", 40), "b"],
    ["\u1100\u1161\u11a8 \uac01 \ud55c\uad6d\uc5b4 \ud55c\u11a8"],
    ["\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3067\u3059\u3002\u4f60\u597d\uff0c\u4e16\u754c\uff01 \u4e2d\u6587abc\u6df7\u5408123 \u30ab\u30bf\u30ab\u30ca \uff76\uff9e"],
    ["\U00020000\U0002a700\U0002b820\U0002b920\U0002f800\uf900\u3400 x\u3007y"],
    ["\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c \u0643\u064e\u064a\u0652\u0641\u064e \u0627\u0644\u062d\u0627\u0644\u061f \u0660\u0661\u0662"],
    ["\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd"],
    ["\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a \u0ba8\u0bbf"],
    ["\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0436\u0438\u043a \u0439 \u0438\u0306 \u0393\u03b5\u03b9\u03ac \u03a3\u0391\u03a3 \u03c3\u03c2"],
    ["\U0001f600\U0001f680 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f44d\U0001f3fd \U0001f1eb\U0001f1f7 1\ufe0f\u20e3 \u2764\ufe0f"],
    ["\u200bzero\u200bwidth\u200c\u200d\u2060\ufeff \u00adsoft\u00ad \u202ertl\u202c"],
    ["\u00a0no\u00a0break\u2003em\u2028line\u2029para\u3000wide\u1680\u180eend\u0085next\u000bvt\u000cff"],
    ["\x00nul\x00 \x01\x02\x03\x1b[31mred\x1b[0m \x7f\x80\x9f \x1c\x1d\x1e\x1f"],
    ["\ufffd \ufffe \uffff \ue000 \U000f0000 \U0010ffff \u0378 \U000e0041"],
    ["\u201cquoted\u201d \u2018single\u2019 \u2014 dash \u2013 \u2026 \u2022 bullet \u2122 \u00a9 \u20ac"],
    ["\U0001d400\U0001d401 \u24b6\u24b7 \uff21\uff22\uff23 \u2070\u2071 \u210c \u3300"],
    [("a", 5000)],
    [("antidisestablishmentarianism", 60)],
    ["x", (" ", 10000), "y"],
    [(" ", 10000)],
    [("\n", 3000)],
    [(" \n", 500)],
    [("\t ", 300), "z"],
    [("0123456789", 100)],
    [("!?", 700)],
    [("\u00e9", 700)],
    [("\U0001f600", 120)],
    [("e\u0301", 200)],
    [("b", 100)],
    [("b", 101)],
    [("\u4e00", 101)],
    ["<|endoftext|>"],
    ["<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n"],
    ["before <|endoftext|> after<|endoftext|><|endoftext|>x"],
    ["<|im_start|<|im_end|> <|im_end <|IM_END|> <|im_end|>>"],
    ["<|begin_of_text|>a<|eot_id|> <think>no</think> <tool_call>"],
    ["[CLS] [SEP] [MASK] [UNK] [PAD] [cls] a[MASK]b"],
    ["a <gap>  b<gap>c\n <gap>\t\nd", "<gap>"],
    ["word words sword a word. w\u00f6rd word\u0301 _word word- wordword"],
    ["caf\u00e9bar cafe\u0301bar CAF\u00c9BAR"],
    ["long longer longest"],
    [b"bad \xff\xfe bytes \xc3\x28 \xe2\x82 \xf0\x9f\x98 end"],
    [b"\xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xf8\x88\x80\x80\x80 \xe0\x80\x80"],
    [b"\x80"],
    [b"tail \xf0\x9f\x98"],
    [b"<|im_end|\xff> <|im_end|>\xc3"],
    ["Summarize the post above in one short sentence.<|im_end|>\n<|im_start|>assistant\nShe lost the keys."],
    ["My neighbour's dog (a very old, very deaf beagle) barked 14 times at 3:45 a.m.!"],
    ["ALL CAPS SENTENCE WITH NUMBERS 42 AND SYMBOLS #1"],
]


def case_bytes(parts):
    """The case as bytes, the form in which moft gets it."""
    out = b""
    for part in parts:
        if isinstance(part, bytes):
            out += part
        elif isinstance(part, tuple):
            out += (part[0] * part[1]).encode("utf-8")
        else:
            out += part.encode("utf-8")
    return out


TOPICS = [
    "The kettle in the shared kitchen whistles although nobody filled it.",
    "We walked along the canal until the street lamps came on, one by one.",
    "Please return the ladder by 5:30 p.m.; the painter can't start without it.",
    "My sister's bicycle has 21 gears and she's only ever used two of them!",
    "How do I keep basil alive on a windowsill that gets 3 hours of sun?",
    "It rained for 14 days, and on the 15th the cellar smelled of mushrooms.",
    "If you're early, wait by the blue door; they'll let you in at 08:00.",
    "He'd promised to fix the gate, but it's still hanging on 1 hinge.",
    "Caf\u00e9 tables, na\u00efve questions, d\u00e9j\u00e0 vu: the whole tour in one caf\u00e9.",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440. \u0645\u0631\u062d\u0628\u0627. \U0001f600",
    "def add(a, b):\n    return a + b  # sums\n\nprint(add(1, 20))\n",
    "Words, words, words: a long word, a longer word, the longest word.",
]


def training_text():
    """Own text, varied enough that merges beyond letters are learned."""
    return [f"{a} {b}" for a in TOPICS for b in TOPICS]
