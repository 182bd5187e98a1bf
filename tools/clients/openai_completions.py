"""Continues and scores texts on a running Flagship server through the official OpenAI client, unchanged.

    pip install -r tools/clients/requirements.txt
    ./flagship serve &
    python tools/clients/openai_completions.py [http://127.0.0.1:11435] [smollm2]

Every line that it prints is a claim that held; it ends with an error at the first that did not.
"""

import argparse
import math

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("base", nargs="?", default="http://127.0.0.1:11435", help="where the server listens")
parser.add_argument("model", nargs="?", default="smollm2", help="the name that it serves a model under")
arguments = parser.parse_args()
base, model = arguments.base, arguments.model

import openai  # after --help, which needs no package

client = openai.OpenAI(base_url=base + "/v1", api_key="none", max_retries=0)
root = openai.OpenAI(base_url=base, api_key="none", max_retries=0)  # /tokenize stands beside /v1
complete = client.completions.create


def held(claim, truth, *details):
    if not truth:
        raise SystemExit(f"FAILED: {claim} {details}")
    print("ok  ", claim, *details)


def post(path, **body):
    return root.post(path, cast_to=object, body={"model": model, **body})


text = "The capital of France is"
tokens = post("/tokenize", prompt=text, return_token_strs=True)
ids = tokens["tokens"]
held("text becomes tokens:", tokens["count"] == len(ids) == len(tokens["token_strs"]) > 3, tokens["token_strs"])
held("and text again", post("/detokenize", tokens=ids)["prompt"] == text)
chat = post("/tokenize", messages=[{"role": "user", "content": text}])
held("a chat is laid out for it:", chat["count"] > len(ids), chat["count"], "tokens")

ask = {"model": model, "temperature": 0, "max_tokens": 8}
whole = complete(prompt=text, **ask)
answer = whole.choices[0].text
held("it goes on:", whole.object == "text_completion" and len(answer) > 0, repr(answer))
held("usage counts both:", whole.usage.prompt_tokens == len(ids) and whole.usage.completion_tokens == 8)
held("ids are as good as their text", complete(prompt=ids, **ask).choices[0].text == answer)
held("16 tokens are usual", complete(model=model, prompt=text, seed=1, logit_bias={"2": -100, "0": -100}).usage.completion_tokens == 16)

chunks = list(complete(prompt=text, **ask, stream=True, stream_options={"include_usage": True}))
held("it streams:", len(chunks) > 3, len(chunks), "chunks")
held("a stream says what the whole answer says", "".join(c.choices[0].text for c in chunks if c.choices) == answer)
held("chunks share id, time and model", len({(c.id, c.created, c.model) for c in chunks}) == 1)
held("one chunk ends the choice", sum(1 for c in chunks if c.choices and c.choices[0].finish_reason) == 1)
held("the last chunk has usage", chunks[-1].choices == [] and chunks[-1].usage.total_tokens == whole.usage.total_tokens)

scored = complete(prompt=text, **ask, echo=True, logprobs=3)
choice, all_ids = scored.choices[0], scored.choices[0].logprobs
held("an echo begins with the prompt:", choice.text == text + answer, repr(choice.text))
held("each token is told", len(all_ids.tokens) == len(ids) + 8 and "".join(all_ids.tokens) == choice.text)
held("nothing foretells the first", all_ids.token_logprobs[0] is None and all_ids.top_logprobs[0] is None)
held(
    "all others have their worth:",
    all(value <= 0 and top[token] == value and 3 <= len(top) <= 4
        for token, value, top in zip(all_ids.tokens[1:], all_ids.token_logprobs[1:], all_ids.top_logprobs[1:])),
    [round(value, 3) for value in all_ids.token_logprobs[1:len(ids)]],
)
held(
    "greedy tokens are the likeliest",
    all(value == max(top.values()) for value, top in zip(all_ids.token_logprobs[len(ids):], all_ids.top_logprobs[len(ids):])),
)
held("offsets find them", all(choice.text[at:].startswith(t) for at, t in zip(all_ids.text_offset, all_ids.tokens)))

for limit in (0, 1):  # as evaluation harnesses ask
    harness = complete(model=model, prompt=ids, max_tokens=limit, echo=True, logprobs=1, temperature=0)
    values = harness.choices[0].logprobs.token_logprobs
    held(f"a prompt is scored with max_tokens {limit}", values == all_ids.token_logprobs[: len(ids) + limit])
    held("and tells as many tokens as it made", harness.usage.completion_tokens == limit)
held("an echo alone repeats", complete(prompt=text, model=model, max_tokens=0, echo=True).choices[0].text == text)
named = complete(prompt=text, **ask, echo=True, logprobs=1, extra_body={"return_tokens_as_token_ids": True})
held("tokens may be told by id", named.choices[0].logprobs.tokens[: len(ids)] == [f"token_id:{i}" for i in ids])
streamed = list(complete(prompt=text, **ask, echo=True, logprobs=3, stream=True))
held("a stream tells the same scores", sum((c.choices[0].logprobs.token_logprobs for c in streamed if c.choices[0].logprobs), []) == all_ids.token_logprobs)
held("and offsets", sum((c.choices[0].logprobs.text_offset for c in streamed if c.choices[0].logprobs), []) == all_ids.text_offset)

fish = "A 🐟 and a naïve café"
odd = complete(prompt=fish, model=model, max_tokens=0, echo=True, logprobs=0).choices[0]
held("parts of characters are told by their bytes:", any(t.startswith("bytes:\\x") for t in odd.logprobs.tokens), odd.logprobs.tokens)
held("and offsets count characters", odd.text == fish and max(odd.logprobs.text_offset) < len(fish))

sampled = {"model": model, "temperature": 0.9, "seed": 5, "max_tokens": 12}
several = complete(prompt=[text, "Once upon a time"], n=2, **sampled)
held("prompts and choices are numbered", [c.index for c in several.choices] == [0, 1, 2, 3])
alone = [complete(prompt=p, **{**sampled, "seed": 5 + i}).choices[0].text for p in (text, "Once upon a time") for i in (0, 1)]
held("each is what it is alone", [c.text for c in several.choices] == alone)
held("usage counts each prompt once", several.usage.prompt_tokens == len(ids) + post("/tokenize", prompt="Once upon a time")["count"])
arrays = complete(prompt=[ids, ids[:3]], model=model, max_tokens=0, echo=True, logprobs=0)
held("arrays of ids are scored apart", [len(c.logprobs.tokens) for c in arrays.choices] == [len(ids), 3])
mean = -sum(arrays.choices[0].logprobs.token_logprobs[1:]) / (len(ids) - 1)
held("which gives a perplexity:", 1 < math.exp(mean) < 1000, round(math.exp(mean), 2))

word = answer.split()[1] if len(answer.split()) > 1 else answer.strip()
stopped = complete(prompt=text, **ask, stop=[word])
held("a stop string ends the answer:", stopped.choices[0].text == answer[: answer.index(word)] and stopped.choices[0].finish_reason == "stop", repr(word))
echoed = complete(prompt=text, **ask, stop=["France"], echo=True)
held("but not the echo", echoed.choices[0].text.startswith(text))

for claim, code, change in [
    ("a suffix", "unsupported_parameter", {"suffix": "!"}),
    ("ranking", "unsupported_parameter", {"best_of": 2}),
    ("what nobody knows", "unsupported_parameter", {"extra_body": {"tempreature": 1}}),
    ("no tokens without echo", "invalid_value", {"max_tokens": 0}),
    ("more log-probabilities than there are", "invalid_value", {"logprobs": 21}),
    ("an id that is none", "invalid_value", {"prompt": [10**6]}),
    ("too many prompts", "invalid_value", {"prompt": ["x"] * 33}),
    ("a prompt that does not fit", "context_length_exceeded", {"prompt": "word " * 20000}),
]:
    try:
        complete(**{"prompt": text, **ask, **change})
        held(claim + " is refused", False)
    except openai.BadRequestError as e:
        held(claim + " is refused:", e.code == code, e.code, e.param)
