package dev.flagship.serving.api;

import java.util.List;

/**
 * A chosen token with its natural log-probability under the unmodified distribution.
 *
 * @param text the token's own text; bytes that are no whole character are replaced
 * @param bytes the token's exact UTF-8 bytes, as unsigned values
 * @param top the likeliest alternatives, best first, each without alternatives of its own
 */
public record TokenLogprob(
        int id, String text, List<Integer> bytes, float logprob, List<TokenLogprob> top) {
    public TokenLogprob {
        bytes = List.copyOf(bytes);
        top = List.copyOf(top);
    }
}
