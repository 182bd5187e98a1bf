package dev.flagship.serving.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class ChatRequestTest {
    private static ChatRequest with(
            OptionalInt maxTokens, List<String> stop, OptionalInt topLogprobs) {
        return new ChatRequest(
                new Prompt.Raw("x"), Sampling.greedy(), maxTokens, stop, topLogprobs);
    }

    private static void assertRefused(Runnable make, String... message) {
        assertThatThrownBy(make::run)
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContainingAll(message);
    }

    @Test
    void choicesDifferInTheirSeedsOnly() {
        var sampling =
                new Sampling(0.5f, 3, 0.9f, 0.1f, 1.2f, 1, -1, Map.of(7, 2f), Long.MAX_VALUE);
        var request =
                new ChatRequest(
                        new Prompt.Raw("x"),
                        sampling,
                        OptionalInt.of(9),
                        List.of("stop"),
                        OptionalInt.of(4));
        assertThat(request.choice(0)).isEqualTo(request);
        assertThat(request.choice(2))
                .isEqualTo(
                        new ChatRequest(
                                request.prompt(),
                                new Sampling(
                                        0.5f,
                                        3,
                                        0.9f,
                                        0.1f,
                                        1.2f,
                                        1,
                                        -1,
                                        Map.of(7, 2f),
                                        Long.MIN_VALUE + 1),
                                request.maxTokens(),
                                request.stop(),
                                request.topLogprobs()));
    }

    @Test
    void maxTokensIsAtLeastOne() {
        assertThat(with(OptionalInt.of(1), List.of(), OptionalInt.empty()).maxTokens()).hasValue(1);
        for (int bad : new int[] {0, -1, Integer.MIN_VALUE}) {
            assertRefused(
                    () -> with(OptionalInt.of(bad), List.of(), OptionalInt.empty()),
                    "max_tokens",
                    Integer.toString(bad));
        }
    }

    @Test
    void alternativesAreAtMostTwenty() {
        for (int good : new int[] {0, 20}) {
            assertThat(with(OptionalInt.empty(), List.of(), OptionalInt.of(good)).topLogprobs())
                    .hasValue(good);
        }
        for (int bad : new int[] {-1, 21}) {
            assertRefused(
                    () -> with(OptionalInt.empty(), List.of(), OptionalInt.of(bad)),
                    "top_logprobs",
                    Integer.toString(bad));
        }
    }

    private static ChatRequest stopping(List<String> stop) {
        return with(OptionalInt.empty(), stop, OptionalInt.empty());
    }

    @Test
    void stopStringsAreBoundedInNumberAndLength() {
        List<String> most = Collections.nCopies(16, "s".repeat(64));
        assertThat(stopping(most).stop()).hasSize(16);
        assertRefused(() -> stopping(Collections.nCopies(17, "s")), "17");
        assertRefused(() -> stopping(List.of("s".repeat(65))), "65");
        assertRefused(() -> stopping(List.of("ok", "")), "0 characters");
    }

    @Test
    void stopStringsAreWholeCharacters() {
        assertThat(stopping(List.of("\uD83D\uDE00")).stop()).hasSize(1);
        for (String half : List.of("\uD83D", "a\uDE00", "\uDE00\uD83D")) {
            assertRefused(() -> stopping(List.of("ok", half)), "stop string 1", "half a character");
        }
    }

    @Test
    void laterChangesOfGivenListsAreNotSeen() {
        List<String> stop = new ArrayList<>(List.of("a"));
        ChatRequest request = stopping(stop);
        stop.add("b");
        assertThat(request.stop()).containsExactly("a");

        List<Message> messages = new ArrayList<>(List.of(Message.user("hi")));
        ChatRequest chat = ChatRequest.of(messages, Sampling.greedy());
        messages.add(Message.assistant("ho"));
        assertThat(chat.prompt()).isEqualTo(new Prompt.Conversation(List.of(Message.user("hi"))));

        List<Integer> ids = new ArrayList<>(List.of(1));
        Prompt.Tokens tokens = new Prompt.Tokens(ids);
        ids.add(2);
        assertThat(tokens.ids()).containsExactly(1);

        List<String> warnings = new ArrayList<>(List.of("w"));
        var end = new Event.Finished(FinishReason.STOP, new Usage(1, 0, 2, 0, 0, 0), warnings);
        warnings.add("x");
        assertThat(end.warnings()).containsExactly("w");
        assertThat(end.usage().totalTokens()).isEqualTo(3);

        List<Integer> bytes = new ArrayList<>(List.of(97));
        var token = new TokenLogprob(1, "a", bytes, 0, -1, List.of());
        var text = new Event.Text("a", new ArrayList<>(List.of(token)));
        bytes.add(98);
        assertThat(text.tokens().getFirst().bytes()).containsExactly(97);
    }

    @Test
    void anotherBoundKeepsTheRest() {
        ChatRequest request = with(OptionalInt.empty(), List.of("s"), OptionalInt.of(2));
        assertThat(request.withMaxTokens(7))
                .isEqualTo(with(OptionalInt.of(7), List.of("s"), OptionalInt.of(2)));
        assertRefused(() -> request.withMaxTokens(0), "max_tokens");
    }

    @Test
    void refusalsAreForTheClientsEyesAndSayTheNumbers() {
        for (RequestException e :
                List.of(
                        RequestException.contextLengthExceeded(70, 64),
                        RequestException.contextLengthExceeded(60, 5, 64),
                        RequestException.promptTooLong(9999, 64))) {
            assertThat(e.code()).isEqualTo("context_length_exceeded");
            assertThat(e.clientSafe()).isTrue();
            assertThat(e).hasMessageContaining("64");
        }
        assertThat(RequestException.contextLengthExceeded(60, 5, 64))
                .hasMessageContaining("Ask for 4 at most");
        assertThat(RequestException.overloaded("full").code()).isEqualTo("overloaded");
        assertThat(RequestException.closed("m").code()).isEqualTo("model_closed");
        assertThat(RequestException.invalidPrompt("why", null).code()).isEqualTo("invalid_prompt");
    }
}
