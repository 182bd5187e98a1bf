package dev.flagship.cli;

import java.util.Optional;
import java.util.function.ToIntFunction;

/**
 * What a chat finds around it.
 *
 * @param places of files
 * @param history of what was typed; empty keeps none
 * @param tokens how many a text has
 * @param styled whether the terminal has styles, and the user wants them
 */
record ChatPlace(
        Places places,
        Optional<ChatHistory> history,
        ToIntFunction<String> tokens,
        boolean styled) {}
