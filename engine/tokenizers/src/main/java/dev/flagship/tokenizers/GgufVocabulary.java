package dev.flagship.tokenizers;

import java.util.List;
import java.util.Locale;

/** Reads the {@code tokenizer.ggml.*} arrays of GGUF ({@code tokenizer.ggml.model = gpt2}). */
final class GgufVocabulary {
    private GgufVocabulary() {}

    /** A pre-tokeniser of GGUF's list, with the merge rule that comes with it. */
    private record Pre(PreTokenizer preTokenizer, boolean ignoreMerges) {}

    static BpeTokenizer read(
            String[] tokens,
            int[] tokenTypes,
            String[] merges,
            String pre,
            BpeTokenizer.TextEnds ends) {
        if (tokens.length == 0) {
            throw TokenizerException.invalid("tokenizer.ggml.tokens is empty");
        }
        if (tokens.length != tokenTypes.length) {
            throw TokenizerException.invalid(
                    "tokenizer.ggml.tokens has %d entries, tokenizer.ggml.token_type %d; they must be as many",
                    tokens.length, tokenTypes.length);
        }
        BpeModel.Kind[] kinds = new BpeModel.Kind[tokens.length];
        for (int id = 0; id < kinds.length; id++) {
            kinds[id] = kind(id, tokenTypes[id]);
        }
        Pre chosen = pre(pre);
        BpeModel.Options options = new BpeModel.Options(chosen.ignoreMerges(), -1, false);
        BpeModel model = new BpeModel(tokens, kinds, merges, options);
        return new BpeTokenizer(tokens, kinds, model, chosen.preTokenizer(), ends);
    }

    private static BpeModel.Kind kind(int id, int type) {
        return switch (type) {
            case 1, 5, 6 -> BpeModel.Kind.NORMAL;
            case 2, 3 -> BpeModel.Kind.CONTROL;
            case 4 -> BpeModel.Kind.ADDED;
            default ->
                    throw TokenizerException.invalid(
                            "tokenizer.ggml.token_type of token %d is %d; known are 1 to 6",
                            id, type);
        };
    }

    private static Pre pre(String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "gpt-2" -> new Pre(new PreTokenizer.Gpt2(), false);
            case "smollm", "starcoder", "refact" ->
                    new Pre(
                            new PreTokenizer.Sequence(
                                    List.of(
                                            new PreTokenizer.Digits(true),
                                            new PreTokenizer.Gpt2())),
                            false);
            case "llama-bpe", "llama3", "llama-v3" -> new Pre(new PreTokenizer.Llama3(), true);
            default ->
                    throw TokenizerException.unsupported(
                            "pre-tokeniser %s (tokenizer.ggml.pre) is not known; known are gpt-2, smollm, starcoder,"
                                    + " refact, llama-bpe. Convert the model again with its tokenizer.json, or use that",
                            TokenizerException.quote(name));
        };
    }
}
