"""Random Unicode strings that tokenizers trip over. Deterministic for a seed."""

import random

SPACES = " \t\n\r\v\f\x1c\x1f\x85\xa0\u1680\u2000\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\ufeff"
DIGITS = "0123456789٠١٢٣९०๓৪②⑩¾½ⅣⅫ〇𝟘𝟡𐒠㉈"
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'Re", "'\u017f", "''s", "'l", "'v", "'", "\u2019s"]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👍🏽", "❤️", "🫠"]
MARKS = "\u0300\u0301\u0308\u0323\u0342\u093f\u0e31\u20dd\u200d\ufe0f"
WORDS = "<think> the of and model naïve café Straße ŒUVRE ǅ ﬁ привет мир 你好 世界 こんにちは 안녕 שלום مرحبا สวัสดี हिन्दी ça I'm don't we'LL x1 3.14 1,234,567 foo_bar() {}[] <|im_end|> <|eot_id|>".split()
PLANES = [(0x80, 0x24F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0x2000, 0x2BFF), (0x3000, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x3FFFF), (0xE0000, 0x10FFFF)]


def character(rng):
    low, high = rng.choice(PLANES)
    c = rng.randint(low, high)
    return chr(c) if not 0xD800 <= c <= 0xDFFF else "\ufffd"


def part(rng):
    kind = rng.randrange(13)
    if kind <= 1:
        return "".join(chr(rng.randint(0x20, 0x7E)) for _ in range(rng.randint(1, 10)))
    if kind <= 3:
        return (" " if rng.random() < 0.6 else "") + rng.choice(WORDS)
    if kind == 4:
        return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 5)))
    if kind == 5:
        return "".join(rng.choice(DIGITS) for _ in range(rng.randint(1, 6)))
    if kind == 6:
        return rng.choice(WORDS) + rng.choice(CONTRACTIONS)
    if kind == 7:
        return rng.choice(EMOJI)
    if kind == 8:
        return rng.choice("aeoक") + "".join(rng.choice(MARKS) for _ in range(rng.randint(1, 3)))
    if kind == 9:
        return chr(rng.randint(0, 0x1F))
    if kind == 10:
        return rng.choice(["\r\n", "\n", " ", "\t", "a", "=", "-", "\u00e9", "7", "\r"]) * rng.randint(1, 12)
    return character(rng)


def strings(seed, count, longest=7):
    rng = random.Random(seed)
    out = []
    for i in range(count):
        text = "".join(part(rng) for _ in range(rng.randint(1, longest)))
        if i % 500 == 499:
            text = rng.choice(["a", " ", "\n", "0", "ab", "!?", "é", " \n"]) * rng.randint(200, 600)
        out.append(text)
    return out
