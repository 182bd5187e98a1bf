package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The tiny LLaMA 2 with its vocabulary spelled as SentencePiece's, in both containers. */
@Timeout(60)
class SentencePieceModelsTest {
    private static final List<String> PIECES =
            List.of(
                    "<|bos|> <|eos|> a b c d e f g h i j k l m n o p q r s t u v w x y z ▁ Ċ 0 1 2 3 4 5 6 7 8 9 . , ! ? ' - th the ▁a in"
                            .split(" "));

    @TempDir Path temp;

    private static float score(int id) {
        return id < 46 ? -100 : -id;
    }

    private static byte[] string(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + utf8.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(utf8.length)
                .put(utf8)
                .array();
    }

    private static byte[] int32(int value) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
    }

    private static String latin1(byte[]... parts) {
        StringBuilder text = new StringBuilder();
        for (byte[] part : parts) {
            text.append(new String(part, StandardCharsets.ISO_8859_1));
        }
        return text.toString();
    }

    /** Merges become scores: both keys are equally long. */
    private Path gguf() throws IOException {
        Path file = TinyModels.gguf("llama2", temp);
        String text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        int before = text.length();
        String type = latin1(int32(8));
        text =
                text.replace(
                        latin1(string("tokenizer.ggml.model")) + type + latin1(string("gpt2")),
                        latin1(string("tokenizer.ggml.model")) + type + latin1(string("llama")));
        text = text.replace(latin1(string("Ġ")), latin1(string("▁")));
        text = text.replace(latin1(string("Ġa")), latin1(string("▁a")));
        int key = text.indexOf(latin1(string("tokenizer.ggml.merges")));
        int next = text.indexOf(latin1(string("tokenizer.ggml.bos_token_id")));
        ByteBuffer scores =
                ByteBuffer.allocate(16 + 4 * PIECES.size()).order(ByteOrder.LITTLE_ENDIAN);
        scores.putInt(9).putInt(6).putLong(PIECES.size());
        for (int id = 0; id < PIECES.size(); id++) {
            scores.putFloat(score(id));
        }
        text =
                text.substring(0, key)
                        + latin1(string("tokenizer.ggml.scores"), scores.array())
                        + text.substring(next);
        // The name of a pre-tokeniser, which this kind has none of, keeps the tensors aligned.
        String filler = "x".repeat(Math.floorMod(before - text.length(), 32) + 5);
        text = text.replace(latin1(string("gpt-2")), latin1(string(filler)));
        Files.write(file, text.getBytes(StandardCharsets.ISO_8859_1));
        return file;
    }

    private static byte[] field(int number, byte[] value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(number << 3 | 2);
        out.write(value.length); // all are shorter than 128 bytes
        out.writeBytes(value);
        return out.toByteArray();
    }

    private Path folder() throws IOException {
        Path folder = TinyModels.huggingFace("llama2", temp);
        Files.delete(folder.resolve("tokenizer.json"));
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|bos|>\", \"eos_token\": \"<|eos|>\", \"add_bos_token\": false,"
                        + " \"chat_template\": \"{{ messages[0]['content'] }}\"}");
        ByteArrayOutputStream model = new ByteArrayOutputStream();
        for (int id = 0; id < PIECES.size(); id++) {
            ByteArrayOutputStream piece = new ByteArrayOutputStream();
            piece.writeBytes(field(1, PIECES.get(id).getBytes(StandardCharsets.UTF_8)));
            piece.write(2 << 3 | 5);
            piece.writeBytes(int32(Float.floatToIntBits(score(id))));
            piece.writeBytes(new byte[] {3 << 3, (byte) (id < 2 ? 3 : 1)});
            model.writeBytes(field(1, piece.toByteArray()));
        }
        model.writeBytes(field(2, new byte[] {3 << 3, 2})); // BPE
        model.writeBytes(field(3, new byte[] {4 << 3, 0})); // runs of spaces stay
        Files.write(folder.resolve("tokenizer.model"), model.toByteArray());
        return folder;
    }

    private static TextModel open(Path path) throws IOException {
        LoadOptions options =
                LoadOptions.of("tiny").withKernels("scalar").withThreads(1).withContext(64);
        return TextModel.open(path, options, LoadListener.SILENT);
    }

    private static RunningLoop.Answer answer(TextModel model, Prompt prompt) throws Exception {
        return RunningLoop.Answer.of(
                model.generate(
                        new ChatRequest(
                                prompt,
                                Sampling.greedy(),
                                OptionalInt.of(12),
                                List.of(),
                                OptionalInt.of(0))));
    }

    @Test
    void bothContainersGiveTheSameIdsAndTexts() throws Exception {
        // ▁ the ▁a ▁ th in g 1 ▁ !
        int[] ids = {28, 47, 48, 28, 46, 49, 8, 31, 28, 42};
        try (TextModel gguf = open(gguf());
                TextModel folder = open(folder())) {
            Prompt raw = new Prompt.Raw("the a thing1 !");
            assertThat(gguf.ids(raw)).isEqualTo(ids);
            assertThat(folder.ids(raw)).isEqualTo(ids);
            assertThat(
                            folder.ids(
                                    new Prompt.Conversation(
                                            List.of(new Message("user", "<|eos|> a")))))
                    .isEqualTo(gguf.ids(new Prompt.Raw("<|eos|> a")));
            RunningLoop.Answer ofGguf = answer(gguf, raw);
            RunningLoop.Answer ofFolder = answer(folder, raw);
            assertThat(ofGguf.ids()).isEqualTo(ofFolder.ids()).hasSizeGreaterThan(4);
            assertThat(ofGguf.text()).isEqualTo(ofFolder.text());
        }
    }

    /**
     * The space in front of an answer is the vocabulary's, the one that continues a text is not.
     */
    @Test
    void answersLoseTheSpaceInFrontAndContinuationsKeepIt() throws Exception {
        int spaced = 0;
        try (TextModel model = open(folder())) {
            for (String start : "a b c d e f g h i j k l m n o p q r s t".split(" ", -1)) {
                Prompt asked = new Prompt.Conversation(List.of(new Message("user", start)));
                RunningLoop.Answer own = answer(model, asked);
                RunningLoop.Answer further = answer(model, new Prompt.Raw(start));
                assertThat(own.ids()).isEqualTo(further.ids());
                assertThat(own.text())
                        .isEqualTo(model.tokenizer().decodeSkippingControl(own.ids()));
                boolean begins = PIECES.get(further.ids()[0]).startsWith("▁");
                spaced += begins ? 1 : 0;
                assertThat(further.text()).isEqualTo((begins ? " " : "") + own.text());
            }
        }
        assertThat(spaced).as("answers that begin with a space").isPositive();
    }

    private static RunningLoop.Answer echoed(TextModel model, Prompt prompt) throws Exception {
        return RunningLoop.Answer.of(
                model.generate(
                        new ChatRequest(
                                prompt,
                                Sampling.greedy(),
                                OptionalInt.of(12),
                                List.of(),
                                OptionalInt.of(0),
                                ChatRequest.Echo.PROMPT)));
    }

    @Test
    void anEchoIsTheTextAndItsContinuation() throws Exception {
        String text = "the a  thing1 ";
        try (TextModel model = open(folder())) {
            int[] ids = model.ids(new Prompt.Raw(text));
            List<Integer> boxed = Arrays.stream(ids).boxed().toList();
            String further = answer(model, new Prompt.Raw(text)).text();
            for (Prompt prompt : List.of(new Prompt.Raw(text), new Prompt.Tokens(boxed))) {
                RunningLoop.Answer echoed = echoed(model, prompt);
                assertThat(echoed.text()).isEqualTo(text + further);
                assertThat(echoed.ids()).startsWith(ids);
                int at = echoed.tokens().get(ids.length).offset();
                assertThat(echoed.text().substring(at)).isEqualTo(further);
            }
        }
    }
}
