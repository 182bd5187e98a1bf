"""The tokenizer of a GGUF file with byte-level BPE in the SmolLM manner, as a `tokenizers` tokenizer."""

import gguf
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers


def tokenizer(reader: gguf.GGUFReader) -> Tokenizer:
    field = lambda key: reader.fields[f"tokenizer.ggml.{key}"].contents()
    assert field("model") == "gpt2" and field("pre") == "smollm"
    tokens = field("tokens")
    result = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                  merges=[tuple(merge.split(" ")) for merge in field("merges")]))
    # Digits one by one, then GPT-2's pattern.
    result.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    result.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, field("token_type")) if kind == gguf.TokenType.CONTROL]
    result.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    assert result.get_vocab_size() == len(tokens)
    return result


def render(reader: gguf.GGUFReader, messages: list[dict]) -> str:
    """The conversation by the file's own template, ready for the answer; set up as transformers sets up Jinja."""
    template = reader.fields["tokenizer.chat_template"].contents()
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True)
