package dev.flagship.tokenizers;

/** Reads the {@code tokenizer.ggml.*} arrays of GGUF. */
final class GgufVocabulary {
    private static final int MOST_TOKENS = 1 << 22;

    private GgufVocabulary() {}

    static BpeTokenizer read(
            String[] tokens,
            int[] tokenTypes,
            String[] merges,
            String pre,
            BpeTokenizer.TextEnds ends) {
        BpeModel.Kind[] kinds = kinds(tokens, tokenTypes, false);
        Expressions.Pieces chosen = pieces(pre);
        BpeModel.Options options = new BpeModel.Options(chosen.ignoreMerges(), -1, false);
        BpeModel model = BpeModel.ranked(Spelling.BYTES, tokens, kinds, merges, options);
        return new BpeTokenizer(
                tokens, kinds, model, BpeTokenizer.Rules.byteLevel(chosen.preTokenizer()), ends);
    }

    static BpeTokenizer readScores(
            String[] tokens,
            float[] scores,
            int[] tokenTypes,
            GgufSpaces spaces,
            BpeTokenizer.TextEnds ends) {
        BpeModel.Kind[] kinds = kinds(tokens, tokenTypes, true);
        if (tokens.length != scores.length) {
            throw TokenizerException.invalid(
                    "tokenizer.ggml.tokens has %d entries, tokenizer.ggml.scores %d; they must be as many",
                    tokens.length, scores.length);
        }
        int unknown = -1;
        for (int id = 0; id < tokens.length; id++) {
            if (tokenTypes[id] == 2 && unknown < 0) {
                unknown = id;
            }
        }
        BpeModel.Options options = new BpeModel.Options(false, unknown, true);
        return new BpeTokenizer(
                tokens,
                kinds,
                BpeModel.scored(Spelling.CHARACTERS, tokens, kinds, scores, options),
                spaces.rules(kinds),
                ends);
    }

    private static BpeModel.Kind[] kinds(String[] tokens, int[] tokenTypes, boolean withBytes) {
        if (tokens.length == 0 || tokens.length > MOST_TOKENS) {
            throw TokenizerException.invalid(
                    "tokenizer.ggml.tokens %s; allowed are 1 to %d tokens",
                    tokens.length == 0 ? "is empty" : "has " + tokens.length + " entries",
                    MOST_TOKENS);
        }
        if (tokens.length != tokenTypes.length) {
            throw TokenizerException.invalid(
                    "tokenizer.ggml.tokens has %d entries, tokenizer.ggml.token_type %d; they must be as many",
                    tokens.length, tokenTypes.length);
        }
        BpeModel.Kind[] kinds = new BpeModel.Kind[tokens.length];
        for (int id = 0; id < kinds.length; id++) {
            kinds[id] =
                    switch (tokenTypes[id]) {
                        case 1 -> BpeModel.Kind.NORMAL;
                        case 2, 3 -> BpeModel.Kind.CONTROL;
                        case 4 ->
                                AddedTokens.endsTurn(tokens[id])
                                        ? BpeModel.Kind.CONTROL
                                        : BpeModel.Kind.ADDED;
                        case 5 -> withBytes ? BpeModel.Kind.UNUSED : BpeModel.Kind.NORMAL;
                        case 6 -> withBytes ? BpeModel.Kind.BYTE : BpeModel.Kind.NORMAL;
                        default ->
                                throw TokenizerException.invalid(
                                        "tokenizer.ggml.token_type of token %d is %d; known are 1 to 6",
                                        id, tokenTypes[id]);
                    };
        }
        return kinds;
    }

    private static Expressions.Pieces pieces(String name) {
        return Expressions.named(name)
                .orElseThrow(() ->
                        TokenizerException.unsupported(
                                "pre-tokeniser %s (tokenizer.ggml.pre) is not known; known are %s. Convert the model again"
                                        + " with its tokenizer.json, or use that",
                                TokenizerException.quote(name),
                                String.join(", ", Expressions.names())));
    }
}
