package dev.flagship.serving.api;

import java.util.List;

/**
 * A token of an answer, or of a prompt that is told with it, with its natural log-probability under
 * the unmodified distribution.
 *
 * @param text the token's own text; bytes that are no whole character are replaced
 * @param bytes the token's exact UTF-8 bytes, as unsigned values
 * @param offset code points of the told text before the first that this token has a part in
 * @param logprob NaN for the first token of a prompt alone, which nothing foretells
 * @param top the likeliest alternatives, best first, each without alternatives of its own
 */
public record TokenLogprob(
        int id,
        String text,
        List<Integer> bytes,
        int offset,
        float logprob,
        List<TokenLogprob> top) {
    public TokenLogprob {
        bytes = List.copyOf(bytes);
        top = List.copyOf(top);
    }
}
