package dev.flagship.serving.api;

/**
 * What an answer took.
 *
 * @param promptTokens tokens of the laid-out prompt
 * @param cachedTokens those of them that an earlier request had computed, alike for all choices
 * @param completionTokens tokens generated, the end token included
 * @param queuedNanos from acceptance to the first step
 * @param prefillNanos from the first step to the first token
 * @param decodeNanos from the first token to the end
 */
public record Usage(
        int promptTokens,
        int cachedTokens,
        int completionTokens,
        long queuedNanos,
        long prefillNanos,
        long decodeNanos) {
    public int totalTokens() {
        return promptTokens + completionTokens;
    }
}
