package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A vocabulary of a file that knows nothing of {@code tokenizer_config.json}, with the tokens that
 * this adds to it.
 */
final class ExtraTokens {
    private static final int MOST_TOKENS = 1 << 22;

    private final TokenizerConfig config;
    private final String file;
    private String[] tokens;
    private BpeModel.Kind[] kinds;
    private final Map<Integer, AddedOptions> options = new HashMap<>();

    /**
     * @param tokens by id
     * @param file name for messages
     */
    ExtraTokens(TokenizerConfig config, String[] tokens, BpeModel.Kind[] kinds, String file) {
        this.config = config;
        this.file = file;
        this.tokens = tokens;
        this.kinds = kinds;
        grow();
        for (TokenizerConfig.Added added : config.added()) {
            put(added);
        }
        Set<String> wanted = new HashSet<>(config.specialTokens());
        for (int id = 0; id < this.tokens.length && !wanted.isEmpty(); id++) {
            if (wanted.remove(this.tokens[id])) {
                this.kinds[id] = BpeModel.Kind.CONTROL;
            }
        }
    }

    /** At once, for a file may add thousands of tokens to thousands. */
    private void grow() {
        int before = tokens.length;
        int size = before;
        for (TokenizerConfig.Added added : config.added()) {
            int id = added.id();
            if (id < 0 || id >= MOST_TOKENS || added.spelling().isEmpty()) {
                throw TokenizerException.invalid(
                        "an added token has id %d and the spelling %s; ids are 0 to %d, spellings not empty",
                        id, TokenizerException.quote(added.spelling()), MOST_TOKENS - 1);
            }
            size = Math.max(size, id + 1);
        }
        TokensById.checkGaps(size, before + config.added().size(), file + " with added tokens");
        tokens = Arrays.copyOf(tokens, size);
        kinds = Arrays.copyOf(kinds, size);
        Arrays.fill(tokens, before, size, "");
        Arrays.fill(kinds, before, size, BpeModel.Kind.UNUSED);
    }

    private void put(TokenizerConfig.Added added) {
        int id = added.id();
        if (!tokens[id].isEmpty() && !tokens[id].equals(added.spelling())) {
            throw TokenizerException.invalid(
                    "id %d is %s in %s and the added token %s",
                    id,
                    TokenizerException.quote(tokens[id]),
                    file,
                    TokenizerException.quote(added.spelling()));
        }
        tokens[id] = added.spelling();
        boolean control = added.special() || AddedTokens.endsTurn(added.spelling());
        kinds[id] = control ? BpeModel.Kind.CONTROL : BpeModel.Kind.ADDED;
        if (!added.options().equals(AddedOptions.PLAIN)) {
            options.put(id, added.options());
        }
    }

    /** How the added tokens are found, by id. */
    Map<Integer, AddedOptions> options() {
        return options;
    }

    String[] tokens() {
        return tokens;
    }

    BpeModel.Kind[] kinds() {
        return kinds;
    }

    /**
     * Tokens at the ends of a text: as the configuration names them, otherwise as the file does.
     *
     * @param addsBos whether raw text gets {@code bos}, where the configuration does not say
     */
    BpeTokenizer.TextEnds ends(OptionalInt bos, OptionalInt eos, boolean addsBos) {
        List<String> spelled = Arrays.asList(tokens);
        OptionalInt first =
                config.bosToken().isPresent() ? named(spelled, config.bosToken().get()) : bos;
        OptionalInt last =
                config.eosToken().isPresent() ? named(spelled, config.eosToken().get()) : eos;
        return new BpeTokenizer.TextEnds(
                first,
                last,
                config.addsBos().orElse(addsBos) && first.isPresent(),
                config.addsEos().orElse(false) && last.isPresent());
    }

    private OptionalInt named(List<String> spelled, String token) {
        int id = spelled.indexOf(token);
        if (id < 0) {
            throw TokenizerException.invalid(
                    "tokenizer_config.json names the token %s, which %s lacks",
                    TokenizerException.quote(token), file);
        }
        return OptionalInt.of(id);
    }
}
