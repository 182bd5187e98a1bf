package dev.flagship.tokenizers;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.OptionalInt;

/**
 * Reads Llama 3's {@code tokenizer.model}: a line for each token, its bytes in base64 and its rank,
 * which is its id. Two neighbours merge if together they are a token, the lowest rank first, unless
 * a piece is one as a whole (OpenAI's tiktoken). The 256 control tokens follow the ranks and are
 * not in the file; their spellings are those of Meta's llama-models.
 */
final class TiktokenRanks {
    private static final String NAME = "tokenizer.model";
    private static final int MOST_TOKENS = 1 << 22;
    private static final int CONTROL = 256;

    /** Llama 4's count, whose pieces and control tokens are others. */
    private static final int LLAMA_4 = 200_000;

    private static final List<String> NAMED =
            List.of(
                    "<|begin_of_text|>",
                    "<|end_of_text|>",
                    "<|reserved_special_token_0|>",
                    "<|reserved_special_token_1|>",
                    "<|finetune_right_pad_id|>",
                    "<|step_id|>",
                    "<|start_header_id|>",
                    "<|end_header_id|>",
                    "<|eom_id|>",
                    "<|eot_id|>",
                    "<|python_tag|>",
                    "<|image|>");

    private final TokenizerConfig config;

    TiktokenRanks(TokenizerConfig config) {
        this.config = config;
    }

    BpeTokenizer read(byte[] file) {
        List<String> spelled = new ArrayList<>(1 << 17);
        int line = 0;
        int end;
        for (int from = 0; from < file.length; from = end + 1) {
            line++;
            end = from;
            while (end < file.length && file[end] != '\n') {
                end++;
            }
            if (end > from) {
                spelled.add(token(file, from, end, line, spelled.size()));
            }
        }
        if (spelled.size() == LLAMA_4) {
            throw TokenizerException.unsupported(
                    "%s has %d ranks, as Llama 4's; Llama 3's are implemented", NAME, LLAMA_4);
        }
        int ranks = spelled.size();
        for (int i = 0; i < CONTROL; i++) {
            spelled.add(
                    i < NAMED.size()
                            ? NAMED.get(i)
                            : "<|reserved_special_token_" + (2 + i - NAMED.size()) + "|>");
        }
        return build(spelled.toArray(String[]::new), ranks);
    }

    private static String token(byte[] file, int from, int to, int line, int rank) {
        int space = from;
        while (space < to && file[space] != ' ') {
            space++;
        }
        String number = new String(file, space, to - space, StandardCharsets.ISO_8859_1).strip();
        if (rank == MOST_TOKENS || !number.equals(Integer.toString(rank))) {
            throw TokenizerException.invalid(
                    "%s: line %d has rank %s, expected %d; at most %d are allowed. It is damaged or another kind of file",
                    NAME, line, TokenizerException.quote(number), rank, MOST_TOKENS);
        }
        try {
            byte[] bytes = Base64.getDecoder().decode(Arrays.copyOfRange(file, from, space));
            if (bytes.length > 0) {
                return ByteAlphabet.spell(bytes);
            }
        } catch (IllegalArgumentException e) {
            throw TokenizerException.unreadable(
                    "%s: line %d is not base64; it is damaged or another kind of file"
                            .formatted(NAME, line),
                    e);
        }
        throw TokenizerException.invalid("%s: the token of line %d has no bytes", NAME, line);
    }

    private BpeTokenizer build(String[] tokens, int ranks) {
        BpeModel.Kind[] kinds = new BpeModel.Kind[tokens.length];
        Arrays.fill(kinds, 0, ranks, BpeModel.Kind.NORMAL);
        Arrays.fill(kinds, ranks, tokens.length, BpeModel.Kind.CONTROL);
        ExtraTokens extra = new ExtraTokens(config, tokens, kinds, NAME);
        float[] scores = new float[extra.tokens().length]; // whole to 2^24, beyond all ranks
        for (int id = 0; id < scores.length; id++) {
            scores[id] = -id;
        }
        BpeModel model =
                BpeModel.scored(
                        Spelling.BYTES,
                        extra.tokens(),
                        extra.kinds(),
                        scores,
                        new BpeModel.Options(true, -1, false));
        for (int b = 0; b < 256; b++) {
            if (model.unit(new byte[] {(byte) b}, 0, 1) < 0) {
                throw TokenizerException.invalid(
                        "%s has no token for byte %d; it is damaged or another kind of file",
                        NAME, b);
            }
        }
        return new BpeTokenizer(
                extra.tokens(),
                extra.kinds(),
                model,
                BpeTokenizer.Rules.byteLevel(new PreTokenizer.Llama3()).with(extra.options()),
                extra.ends(OptionalInt.of(ranks), OptionalInt.of(ranks + 1), true));
    }
}
