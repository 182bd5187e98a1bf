package dev.flagship.cli;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Quoted;
import dev.flagship.serving.api.Sampling;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/** What {@code /set} sets of answers, by the names that the command line's flags have too. */
enum ChatSetting {
    TEMPERATURE("0, always the likeliest token, to 2"),
    TOP_K("0, all, or how many of the likeliest to choose from"),
    TOP_P("above 0 to 1"),
    MIN_P("0 to below 1"),
    REPEAT_PENALTY("above 0 to 100; 1 is off"),
    PRESENCE_PENALTY("-2 to 2"),
    FREQUENCY_PENALTY("-2 to 2"),
    SEED("a whole number, or random"),
    MAX_TOKENS("a whole number from 1, or off");

    private static final String RANDOM = "random";
    private static final String OFF = "off";

    private final String range;

    ChatSetting(String range) {
        this.range = range;
    }

    /** As people write it. */
    String title() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** What it takes, in words. */
    String range() {
        return range;
    }

    static Optional<ChatSetting> named(String title) {
        return Arrays.stream(values()).filter(s -> s.title().equals(title)).findFirst();
    }

    static List<String> titles() {
        return Arrays.stream(values()).map(ChatSetting::title).toList();
    }

    /** Its value, as {@link #set} takes it. */
    String of(AnswerSettings settings) {
        Sampling s = settings.sampling();
        return switch (this) {
            case TEMPERATURE -> number(s.temperature());
            case TOP_K -> Integer.toString(s.topK());
            case TOP_P -> number(s.topP());
            case MIN_P -> number(s.minP());
            case REPEAT_PENALTY -> number(s.repetitionPenalty());
            case PRESENCE_PENALTY -> number(s.presencePenalty());
            case FREQUENCY_PENALTY -> number(s.frequencyPenalty());
            case SEED -> settings.seed() == null ? RANDOM : settings.seed().toString();
            case MAX_TOKENS ->
                    settings.maxTokens().isPresent()
                            ? Integer.toString(settings.maxTokens().getAsInt())
                            : OFF;
        };
    }

    private static String number(float value) {
        return value == Math.rint(value) ? Integer.toString((int) value) : Float.toString(value);
    }

    /**
     * The settings with another value of this one.
     *
     * @throws CliException {@code bad_setting}, if the value is out of its range
     */
    AnswerSettings set(AnswerSettings settings, String value) {
        try {
            return changed(settings, value);
        } catch (NumberFormatException | InvalidArgumentException e) {
            throw new CliException(
                    "bad_setting",
                    "%s takes %s; %s is not that".formatted(title(), range, Quoted.of(value)),
                    e);
        }
    }

    private AnswerSettings changed(AnswerSettings settings, String value) {
        Sampling s = settings.sampling();
        return switch (this) {
            case TEMPERATURE -> settings.withSampling(with(s, finite(value), s.topP(), s.minP()));
            case TOP_P -> settings.withSampling(with(s, s.temperature(), finite(value), s.minP()));
            case MIN_P -> settings.withSampling(with(s, s.temperature(), s.topP(), finite(value)));
            case TOP_K ->
                    settings.withSampling(
                            with(
                                    s,
                                    Integer.parseInt(value),
                                    s.repetitionPenalty(),
                                    s.presencePenalty(),
                                    s.frequencyPenalty()));
            case REPEAT_PENALTY ->
                    settings.withSampling(
                            with(
                                    s,
                                    s.topK(),
                                    finite(value),
                                    s.presencePenalty(),
                                    s.frequencyPenalty()));
            case PRESENCE_PENALTY ->
                    settings.withSampling(
                            with(
                                    s,
                                    s.topK(),
                                    s.repetitionPenalty(),
                                    finite(value),
                                    s.frequencyPenalty()));
            case FREQUENCY_PENALTY ->
                    settings.withSampling(
                            with(
                                    s,
                                    s.topK(),
                                    s.repetitionPenalty(),
                                    s.presencePenalty(),
                                    finite(value)));
            case SEED -> settings.withSeed(value.equals(RANDOM) ? null : Long.valueOf(value));
            case MAX_TOKENS ->
                    settings.withMaxTokens(
                            value.equals(OFF)
                                    ? OptionalInt.empty()
                                    : OptionalInt.of(positive(value)));
        };
    }

    private static int positive(String value) {
        int number = Integer.parseInt(value);
        if (number < 1) {
            throw new NumberFormatException(value);
        }
        return number;
    }

    /** Java's own notation knows NaN, hexadecimal digits and a final f. */
    private static float finite(String value) {
        if (!value.matches("[-+]?[0-9]*\\.?[0-9]+([eE][-+]?[0-9]{1,2})?")) {
            throw new NumberFormatException(value);
        }
        return Float.parseFloat(value);
    }

    private static Sampling with(Sampling s, float temperature, float topP, float minP) {
        return new Sampling(
                temperature,
                s.topK(),
                topP,
                minP,
                s.repetitionPenalty(),
                s.presencePenalty(),
                s.frequencyPenalty(),
                s.logitBias(),
                s.seed());
    }

    private static Sampling with(
            Sampling s, int topK, float repetition, float presence, float frequency) {
        return new Sampling(
                s.temperature(),
                topK,
                s.topP(),
                s.minP(),
                repetition,
                presence,
                frequency,
                s.logitBias(),
                s.seed());
    }
}
