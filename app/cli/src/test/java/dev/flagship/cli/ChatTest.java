package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.TextModel;
import dev.flagship.serving.api.Prompt;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.impl.DumbTerminal;
import org.jline.terminal.impl.ExternalTerminal;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A chat with a tiny model, on a terminal without abilities or on one that has them. */
@SuppressWarnings("NullAway.Init") // each test begins its own chat
class ChatTest {
    @TempDir Path folder;
    private TextModel model;
    private Terminal terminal;
    private Thread chat;
    private final PipedOutputStream keys = new PipedOutputStream();
    private final PipedOutputStream keys2 = new PipedOutputStream();
    private boolean xterm;
    private final ByteArrayOutputStream screen = new ByteArrayOutputStream();

    @BeforeEach
    void openTerminal() throws Exception {
        terminal = new DumbTerminal(new PipedInputStream(keys), screen);
    }

    /** A terminal as people have, at the other end of pipes. */
    private void useXterm() throws Exception {
        terminal.close();
        terminal =
                new ExternalTerminal(
                        "test",
                        "xterm",
                        new PipedInputStream(keys2),
                        screen,
                        StandardCharsets.UTF_8);
        terminal.setSize(new Size(80, 24));
        xterm = true;
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
        var place =
                new ChatPlace(
                        new Places(folder, folder),
                        Optional.of(new ChatHistory(folder.resolve("history"))),
                        text -> model.ids(new Prompt.Raw(text)).length,
                        xterm);
        var talk = new Chat(model, TinyModel.endless(maxTokens), terminal, place);
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
        if (xterm) {
            type("\u0003\u0004"); // whatever was begun is dropped
        }
        keys.close();
        chat.join(10_000);
        assertThat(chat.isAlive()).isFalse();
        model.close();
        terminal.close();
    }

    private void type(String text) throws IOException {
        PipedOutputStream to = xterm ? keys2 : keys;
        to.write(text.getBytes(StandardCharsets.UTF_8));
        to.flush();
    }

    /** Types a line and waits for what it brings; what was shown before does not count. */
    private void enter(String line, String expected) throws Exception {
        int before = shown().length();
        type(line + (xterm ? "\r" : "\n"));
        awaitBehind(before, expected);
    }

    private void awaitBehind(int before, String text) throws InterruptedException {
        long end = System.nanoTime() + 20_000_000_000L;
        while (!shown().substring(before).contains(text)) {
            assertThat(System.nanoTime()).as("%s in: %s", text, shown()).isLessThan(end);
            Thread.sleep(5);
        }
    }

    /** The conversation as it is, by way of a file. */
    private List<Exchange> exchanges() throws Exception {
        enter("/save! now.json", "Saved ");
        return SavedChat.read(folder.resolve("now.json"), TinyModel.endless(OptionalInt.empty()))
                .exchanges();
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
        await("(ended by max-tokens)");
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
        await("(ended by max-tokens)");
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
        await("begin another conversation");
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
        while (!shown().substring(before).contains("(ended by max-tokens)")) {
            assertThat(System.nanoTime()).as(shown()).isLessThan(end);
            Thread.sleep(5);
        }
    }

    @Test
    void anAnswerIsAskedForAgainAndExchangesAreDropped() throws Exception {
        chat(4096, OptionalInt.of(5));
        await("Ctrl-D leaves");
        enter("/retry", "nothing to ask again");
        enter("the cat", "(ended by");
        enter("/set seed random", "seed is random");
        enter("/set temperature 1", "temperature is 1");
        String first = exchanges().getFirst().answer();
        enter("/retry", "(ended by");
        List<Exchange> again = exchanges();
        assertThat(again).hasSize(1);
        assertThat(again.getFirst().asked()).isEqualTo("the cat");
        assertThat(again.getFirst().answer()).isNotEqualTo(first);
        enter("sat", "(ended by");
        enter("on", "(ended by");
        enter("/drop 2", "Dropped 2 exchanges; 1 left.");
        assertThat(exchanges()).isEqualTo(again);
        enter("/drop 7", "Dropped 1 exchange; 0 left.");
        enter("/drop", "nothing to drop");
        assertThat(exchanges()).isEmpty();
    }

    @Test
    void aConversationIsSavedAndGoneOnWith() throws Exception {
        chat(4096, OptionalInt.of(5));
        await("Ctrl-D leaves");
        enter("/system a cat sat", "The system message is set.");
        enter("the cat", "(ended by");
        enter("/save talk.json", "Saved 1 exchange in talk.json");
        enter("/save talk.json", "/save! talk.json overwrites it");
        List<Exchange> before = exchanges();
        enter("/new", "A new conversation.");
        enter("/system off", "No system message");
        enter("/set max-tokens 3", "max-tokens is 3");
        Path file = folder.resolve("talk.json");
        Files.writeString(file, Files.readString(file).replace("\"tiny\"", "\"other\""));
        enter("/load none.json", "there is no file");
        enter("/load talk.json", "its answers are by other; tiny goes on");
        assertThat(exchanges()).isEqualTo(before);
        enter("/system", "a cat sat");
        enter("/set max-tokens", "max-tokens is 5");
        enter("/show", "> the cat");
    }

    @Test
    void aFullerContextIsToldOnceAtEachStage() throws Exception {
        chat(100, OptionalInt.of(1));
        await("Ctrl-D leaves");
        while (!shown().contains("do not fit")) {
            enter("the cat", "> ");
        }
        List<String> warnings =
                shown().lines().filter(line -> line.contains("The conversation takes")).toList();
        assertThat(warnings).hasSize(2);
        assertThat(warnings.getFirst())
                .containsPattern("takes 8\\d of 100 tokens \\(8\\d %\\)")
                .contains("/drop N forgets", "/new begins another");
        assertThat(warnings.getLast()).containsPattern("\\(9[5-9] %\\)");
        enter("/drop 99", "; 0 left.");
        enter("/retry", "(ended by max-tokens)"); // the message that did not fit
        assertThat(exchanges().stream().map(Exchange::asked)).containsExactly("the cat");
    }

    @Test
    void aMessageThatDoesNotFitIsNoPartOfTheConversationAndComesBack() throws Exception {
        chat(64, OptionalInt.of(5));
        await("Ctrl-D leaves");
        enter("the cat", "(ended by");
        List<Exchange> before = exchanges();
        enter("the cat ".repeat(30), "do not fit the model's context of 64 tokens");
        assertThat(exchanges()).isEqualTo(before);
        enter("/retry", "do not fit");
        assertThat(exchanges()).isEqualTo(before);
    }

    @Test
    void whatAnAnswerTookIsTold() throws Exception {
        chat(4096, OptionalInt.of(5));
        await("Ctrl-D leaves");
        enter("/stats", "There was no answer yet.");
        enter("the cat", "(ended by");
        enter("/stats", "of 4,096 tokens (0 %)");
        enter("/set stats on", "stats is on");
        enter("the cat", "; context ");
        enter("/set stats of", "stats takes on or off");
        enter("/set", "temperature        0 ");
    }

    @Test
    void filesArePutIn() throws Exception {
        Files.writeString(folder.resolve("a.txt"), "the cat sat");
        chat(4096, OptionalInt.of(5));
        await("Ctrl-D leaves");
        enter("see @a.txt", "Attached a.txt: 11 B, ");
        await("(ended by");
        assertThat(exchanges().getFirst().asked())
                .isEqualTo("see a.txt\n\na.txt:\n```\nthe cat sat\n```");
        enter("see @tiny", "tiny is a folder");
        assertThat(exchanges()).hasSize(1);
    }

    @Test
    void severalLinesAreOneMessage() throws Exception {
        useXterm();
        chat(4096, OptionalInt.of(3));
        await("Ctrl-D leaves");
        enter("\u001b[200~the cat\nsat\ron\u001b[201~", "(ended by");
        enter("the\\\rcat", "(ended by");
        enter("the\u001b\rcat\u001b\rsat", "(ended by");
        enter("\"\"\"the\r/new\r\\\rcat\"\"\"", "(ended by");
        assertThat(exchanges().stream().map(Exchange::asked))
                .containsExactly(
                        "the cat\nsat\non", "the\ncat", "the\ncat\nsat", "the\n/new\n\\\ncat");
    }

    @Test
    void whatWasTypedComesBackAlsoInTheNextChat() throws Exception {
        Files.writeString(folder.resolve("history"), "the old\\none\n");
        useXterm();
        chat(4096, OptionalInt.of(3));
        await("Ctrl-D leaves");
        enter("the new one", "(ended by");
        enter(" a secret", "(ended by");
        enter("\u001b[A", "(ended by");
        enter("\u001bOA\u001bOA\u001bOA", "(ended by");
        assertThat(exchanges().stream().map(Exchange::asked))
                .containsExactly("the new one", "a secret", "the new one", "the old\none");
        assertThat(Files.readAllLines(folder.resolve("history")))
                .startsWith("the old\\none", "the new one", "the old\\none")
                .doesNotContain(" a secret", "a secret");
    }

    @Test
    void tabCompletesCommandsSettingsAndFiles() throws Exception {
        Files.writeString(folder.resolve("a file.txt"), "the cat");
        useXterm();
        chat(4096, OptionalInt.of(3));
        await("Ctrl-D leaves");
        enter("/stat\t", "There was no answer yet.");
        enter("/set temp\t0.5", "temperature is 0.5");
        enter("see @a\t", "Attached a file.txt: 7 B");
        await("(ended by");
        enter("/save talk", "Saved 1 exchange in talk");
        enter("/load ta\t", "Loaded 1 exchange from talk");
    }
}
