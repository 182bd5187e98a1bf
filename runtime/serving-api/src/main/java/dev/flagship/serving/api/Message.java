package dev.flagship.serving.api;

/**
 * One turn of a conversation.
 *
 * @param role as the model's template knows it: {@code system}, {@code user}, {@code assistant}
 * @param content the text, verbatim
 */
public record Message(String role, String content) {
    public static Message system(String content) {
        return new Message("system", content);
    }

    public static Message user(String content) {
        return new Message("user", content);
    }

    public static Message assistant(String content) {
        return new Message("assistant", content);
    }
}
