"""Chats with a running Flagship server through the official OpenAI client, unchanged.

    pip install -r tools/clients/requirements.txt
    ./flagship serve &
    python tools/clients/openai_chat.py [http://127.0.0.1:11435] [smollm2]

Every line that it prints is a claim that held; it ends with an error at the first that did not.
"""

import argparse

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("base", nargs="?", default="http://127.0.0.1:11435", help="where the server listens")
parser.add_argument("model", nargs="?", default="smollm2", help="the name that it serves a model under")
arguments = parser.parse_args()
base, model = arguments.base, arguments.model

import openai  # after --help, which needs no package

client = openai.OpenAI(base_url=base + "/v1", api_key="none", max_retries=0)
messages = [
    {"role": "system", "content": "You answer in one short sentence."},
    {"role": "user", "content": "What is the capital of France?"},
]


def held(claim, truth, *details):
    if not truth:
        raise SystemExit(f"FAILED: {claim} {details}")
    print("ok  ", claim, *details)


held("models are listed", model in [m.id for m in client.models.list()])
held("a model is described", client.models.retrieve(model).object == "model")

ask = {"model": model, "messages": messages, "seed": 7, "temperature": 0.7, "max_tokens": 40}
whole = client.chat.completions.create(**ask)
text = whole.choices[0].message.content
held("it chats:", len(text) > 0, repr(text))
held("it ends for a reason:", whole.choices[0].finish_reason in ("stop", "length"))
usage = whole.usage
held(
    "usage adds up:",
    usage.prompt_tokens + usage.completion_tokens == usage.total_tokens > 0,
    usage.total_tokens,
)

chunks = list(
    client.chat.completions.create(
        **ask, stream=True, stream_options={"include_usage": True}
    )
)
streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
held("it streams:", len(chunks) > 3, len(chunks), "chunks")
held("a stream says what the whole answer says", streamed == text)
held("chunks share id, time and model", len({(c.id, c.created, c.model) for c in chunks}) == 1)
held("the first chunk has the role", chunks[0].choices[0].delta.role == "assistant")
held("one chunk ends the choice", sum(1 for c in chunks if c.choices and c.choices[0].finish_reason) == 1)
last = chunks[-1]
held(
    "the last chunk has usage:",  # but for what was kept of the prompt since
    last.choices == [] and last.usage.total_tokens == usage.total_tokens > last.usage.prompt_tokens_details.cached_tokens,
    last.usage.prompt_tokens_details.cached_tokens,
    "tokens cached",
)

scored = client.chat.completions.create(**ask, logprobs=True, top_logprobs=3)
tokens = scored.choices[0].logprobs.content
held("log-probabilities come", all(t.logprob <= 0 and len(t.top_logprobs) == 3 for t in tokens), len(tokens))
held("their bytes are the text", b"".join(bytes(t.bytes) for t in tokens).decode() == text)

several = client.chat.completions.create(**ask, n=3)
held("several choices are numbered", [c.index for c in several.choices] == [0, 1, 2])
none = client.chat.completions.create(**ask, tools=[], tool_choice="auto", parallel_tool_calls=True)
held("no tools are as good as none", none.choices[0].message.content == text)
stopped = client.chat.completions.create(**ask, stop=["Paris"])
held("a stop string ends the answer", "Paris" not in stopped.choices[0].message.content)

for claim, kind, code, change in [
    ("an unknown model", openai.NotFoundError, "model_not_found", {"model": "nobody"}),
    ("a tool", openai.BadRequestError, "unsupported_parameter", {"tools": [{"type": "function", "function": {"name": "f"}}]}),
    ("a prompt that does not fit", openai.BadRequestError, "context_length_exceeded", {"messages": [{"role": "user", "content": "word " * 20000}]}),
]:
    try:
        client.chat.completions.create(**{**ask, **change})
        held(claim + " is refused", False)
    except kind as e:
        held(claim + " is refused:", e.code == code, e.code)

stream = client.chat.completions.create(**{**ask, "max_tokens": 500}, stream=True)
next(iter(stream))
stream.close()
held("a stream can be left", True)
