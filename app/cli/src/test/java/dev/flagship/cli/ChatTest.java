package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.TextModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.impl.DumbTerminal;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A chat with a tiny model on a terminal without abilities. */
@SuppressWarnings("NullAway.Init") // each test begins its own chat
class ChatTest {
    @TempDir Path folder;
    private TextModel model;
    private Terminal terminal;
    private Thread chat;
    private final PipedOutputStream keys = new PipedOutputStream();
    private final ByteArrayOutputStream screen = new ByteArrayOutputStream();

    @BeforeEach
    void openTerminal() throws Exception {
        terminal = new DumbTerminal(new PipedInputStream(keys), screen);
    }

    private void chat(int context, OptionalInt maxTokens) throws IOException {
        model =
                TextModel.open(
                        TinyModel.in(folder),
                        LoadOptions.of("tiny")
                                .withKernels("scalar")
                                .withThreads(1)
                                .withContext(context),
                        LoadListener.SILENT);
        var talk = new Chat(model, TinyModel.endless(maxTokens), terminal);
        chat =
                Thread.ofPlatform()
                        .start(() -> {
                            try {
                                talk.run();
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        });
    }

    @AfterEach
    void close() throws Exception {
        keys.close();
        chat.join(10_000);
        assertThat(chat.isAlive()).isFalse();
        model.close();
        terminal.close();
    }

    private void type(String text) throws IOException {
        keys.write(text.getBytes(StandardCharsets.UTF_8));
        keys.flush();
    }

    private String shown() {
        return screen.toString(StandardCharsets.UTF_8);
    }

    private void await(String text) throws InterruptedException {
        long end = System.nanoTime() + 20_000_000_000L;
        while (!shown().contains(text)) {
            assertThat(System.nanoTime()).as("%s in: %s", text, shown()).isLessThan(end);
            Thread.sleep(5);
        }
        assertThat(shown()).contains(text);
    }

    @Test
    void aMessageMayBeginWithASlash() throws Exception {
        chat(4096, OptionalInt.of(5));
        await("Ctrl-D leaves");
        type("/the cat\n");
        await("There is no command /the");
        await("To send it as a message: //the cat");
        type("//the cat\n");
        await("(ended by --max-tokens)");
        type("/help\n");
        await("/bye");
        type("/bye\n");
        chat.join(10_000);
        assertThat(chat.isAlive()).isFalse();
    }

    @Test
    void whoAsksForMoreTokensThanThereAreLearnsHowManyThereAre() throws Exception {
        chat(64, OptionalInt.of(200));
        await("Ctrl-D leaves");
        type("the cat\n");
        await("Ask for ");
        assertThat(shown()).doesNotContain("/new begins another");
    }

    @Test
    void answersAndLeavesOnExit() throws Exception {
        chat(4096, OptionalInt.of(5));
        await("Ctrl-D leaves");
        type("the cat\n");
        await("(ended by --max-tokens)");
        type("/exit\n");
        chat.join(10_000);
        assertThat(chat.isAlive()).isFalse();
    }

    @Test
    void leavesAtTheEndOfInput() throws Exception {
        chat(4096, OptionalInt.of(5));
        keys.close();
        chat.join(10_000);
        assertThat(chat.isAlive()).isFalse();
    }

    @Test
    void ctrlCStopsTheAnswerAndNotTheChat() throws Exception {
        chat(8192, OptionalInt.empty());
        type("the cat\n");
        int before = shown().length();
        while (shown().length() < before + 60) {
            Thread.sleep(5);
        }
        terminal.raise(Signal.INT);
        await("(stopped)");
        type("/help\n");
        await("forget the conversation");
    }

    @Test
    void unknownCommandsAreNotSentToTheModel() throws Exception {
        chat(4096, OptionalInt.of(5));
        type("/quite\n");
        await("no command /quite");
    }

    @Test
    void aFullContextIsExplainedAndANewConversationHelps() throws Exception {
        chat(64, OptionalInt.of(20));
        for (int i = 0; i < 4; i++) {
            type("the cat the cat the\n");
        }
        await("/new begins another");
        int before = shown().length();
        type("/new\n");
        await("A new conversation.");
        type("the cat\n");
        long end = System.nanoTime() + 10_000_000_000L;
        while (!shown().substring(before).contains("(ended by --max-tokens)")) {
            assertThat(System.nanoTime()).as(shown()).isLessThan(end);
            Thread.sleep(5);
        }
    }
}
