package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.serving.RunningLoop.Answer;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.testing.LeakCheck;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What keys and values are kept in, from the choice to the answer. */
@Timeout(60)
class KvCacheTest {
    private static final int END = 1;
    private static final int[] IDS = {5, 9, 2, 7, 7, 11, 3, 40, 21, 5, 6, 13, 30, 8, 17, 4, 22, 9};

    @TempDir Path temp;

    private static LoadOptions options(String rung) {
        return LoadOptions.of("tiny").withKernels(rung).withThreads(2).withContext(256);
    }

    private static LoadedModel load(Path path, LoadOptions options) throws IOException {
        return LoadedModel.load(path, options, LoadListener.SILENT);
    }

    @Test
    void numericsChooseUnlessSomebodyDoes() throws Exception {
        Path folder = TinyModels.wideHeads(temp);
        LoadOptions options = options("scalar");
        for (Numerics numerics : Numerics.values()) {
            LoadOptions each = options.withNumerics(numerics);
            try (LoadedModel model = load(folder, each)) {
                assertThat(model.kvLayout().type())
                        .isEqualTo(numerics == Numerics.EXACT ? DType.F32 : DType.F16);
            }
            for (DType type : List.of(DType.F16, DType.Q8_0, DType.F32)) {
                try (LoadedModel model = load(folder, each.withKvCache(type))) {
                    assertThat(model.kvLayout().type()).isEqualTo(type);
                    assertThat(model.numerics()).isEqualTo(numerics);
                }
            }
        }
    }

    @Test
    void headsThatNoScaleDividesAreRefusedWithWhatToDo() throws Exception {
        Path file = TinyModels.gguf("llama31", temp);
        LeakCheck.around(() -> {
            Throwable thrown =
                    catchThrowable(() -> load(file, options("scalar").withKvCache(DType.Q8_0)));
            assertThat(thrown)
                    .isInstanceOf(LoadException.class)
                    .hasMessageContainingAll(file.toString(), "16", "q8_0", "--kv-cache f16.");
        });
    }

    @Test
    void onlyTypesThatAttentionReadsCanBeChosen() {
        assertThatThrownBy(() -> LoadOptions.of("tiny").withKvCache(DType.Q4_0))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("q8_0");
        assertThat(LoadOptions.kvCacheOf("q8_0")).hasValue(DType.Q8_0);
        assertThat(LoadOptions.kvCacheOf("Q8_0")).isEmpty();
        assertThat(LoadOptions.kvCacheOf("bf16")).isEmpty();
    }

    @Test
    void factsTellOfIt() throws Exception {
        Path folder = TinyModels.wideHeads(temp);
        LoadOptions options = options("scalar").withKvCache(DType.Q8_0);
        try (TextModel model = TextModel.open(folder, options, LoadListener.SILENT)) {
            assertThat(model.info().kvCache()).isEqualTo("q8_0");
            // Layers; keys and values; 32 numbers and a scale.
            assertThat(model.info().kvBytesPerToken()).isEqualTo(2 * 2 * (32 + 2));
            assertThat(model.info().kvPoolBytes()).isEqualTo(256 * 2 * 2 * 34);
        }
    }

    /** A pool that does not fit tells of the smaller one, where heads allow it. */
    @Test
    void aPoolThatDoesNotFitNamesASmallerType() throws Exception {
        record Little(long total) implements Memory {
            @Override
            public long free() {
                return total;
            }

            @Override
            public OffHeap allocate(long bytes) {
                throw new OutOfMemoryError();
            }
        }
        Path wide = TinyModels.wideHeads(temp);
        Path packed = temp.resolve("packed");
        LoadOptions options = options("scalar").withPackedFolder(packed);
        assertThat(tooLarge(wide, options, new Little(1000))).contains("or --kv-cache q8_0");
        assertThat(tooLarge(wide, options.withKvCache(DType.Q8_0), new Little(1000)))
                .contains("--context")
                .doesNotContain("--kv-cache");
        Path narrow = TinyModels.gguf("llama31", temp);
        assertThat(tooLarge(narrow, options, new Little(1000))).doesNotContain("--kv-cache");
    }

    private static String tooLarge(Path path, LoadOptions options, Memory machine) {
        Throwable thrown =
                catchThrowable(() ->
                        LoadedModel.load(
                                path,
                                options,
                                LoadListener.SILENT,
                                new Machine(machine, FreeSpace.OF_THIS_MACHINE)));
        assertThat(thrown).isInstanceOf(LoadException.class);
        return Optional.ofNullable(thrown.getMessage()).orElse("");
    }

    /** Near enough that pages are read as they were written, and not so near that none were. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F16", "Q8_0"})
    void logitsMoveByWhatRoundingExplains(DType type) throws Exception {
        Path folder = TinyModels.wideHeads(temp);
        LoadOptions options = options("scalar").withNumerics(Numerics.EXACT);
        List<float[]> truth;
        try (LoadedModel model = load(folder, options);
                Passes passes = Passes.inPagesOf(model)) {
            truth = passes.forward(IDS);
        }
        try (LoadedModel model = load(folder, options.withKvCache(type));
                Passes passes = Passes.inPagesOf(model)) {
            List<float[]> rounded = passes.forward(IDS);
            double off = 0;
            double size = 0;
            for (int row = 0; row < IDS.length; row++) {
                for (int i = 0; i < truth.get(row).length; i++) {
                    off += Math.pow(rounded.get(row)[i] - truth.get(row)[i], 2);
                    size += Math.pow(truth.get(row)[i], 2);
                }
            }
            double relative = Math.sqrt(off / size);
            // This model makes 2.5 of what each number is off: of its size in F16, in Q8_0 of 1/12
            // of a step, squared, where 127 steps are 2.3 deviations.
            double expected = 2.5 * (type == DType.F16 ? 2e-4 : 2.3 / 127 / Math.sqrt(12));
            assertThat(relative).as("%s", type).isBetween(expected / 2, 2 * expected);
        }
    }

    private static ChatRequest request(float temperature, long seed, int tokens) {
        Sampling sampling = new Sampling(temperature, 0, 1, 0, 1, 0, 0, Map.of(END, -100f), seed);
        return new ChatRequest(
                new Prompt.Tokens(Collections.nCopies(37, 5)),
                sampling,
                OptionalInt.of(tokens),
                List.of(),
                OptionalInt.of(2));
    }

    /**
     * A prompt that ends within a page, so that each choice copies one of Q8_0, then alone, from
     * pages that an earlier request filled: the same bits, or the same seeds would differ.
     */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "vector", "x86"})
    void sharedCopiedAndReusedPagesGiveTheAnswersOfFreshOnes(String rung) throws Exception {
        Rung.assume(rung);
        Path folder = TinyModels.wideHeads(temp);
        LoadOptions options = options(rung).withKvCache(DType.Q8_0);
        ChatRequest request = request(1.2f, 77, 60);
        List<List<TokenLogprob>> fresh = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            try (TextModel model = TextModel.open(folder, options, LoadListener.SILENT)) {
                fresh.add(Answer.of(model.generate(request.choice(i))).tokens());
                assertThat(fresh.get(i)).hasSize(60);
            }
        }
        assertThat(fresh.get(0)).isNotEqualTo(fresh.get(1));
        try (TextModel model = TextModel.open(folder, options, LoadListener.SILENT)) {
            List<Generation> choices = model.generate(request, 3);
            for (int i = 0; i < 3; i++) {
                assertThat(Answer.of(choices.get(i)).tokens())
                        .as("choice %d", i)
                        .isEqualTo(fresh.get(i));
            }
            Answer again = Answer.of(model.generate(request.choice(1)));
            assertThat(again.end().usage().cachedTokens()).isPositive();
            assertThat(again.tokens()).isEqualTo(fresh.get(1));
        }
    }

    /** One definition, three ways to compute it. */
    @ParameterizedTest
    @ValueSource(strings = {"vector", "x86"})
    void everyRungGivesTheScalarOnesLogits(String rung) throws Exception {
        Rung.assume(rung);
        Path folder = TinyModels.wideHeads(temp);
        try (LoadedModel scalar = load(folder, options("scalar").withKvCache(DType.Q8_0));
                LoadedModel other = load(folder, options(rung).withKvCache(DType.Q8_0));
                Passes truth = Passes.inPagesOf(scalar);
                Passes tested = Passes.inPagesOf(other)) {
            for (int turn = 0; turn < 6; turn++) {
                List<float[]> expected = truth.forward(IDS);
                List<float[]> actual = tested.forward(IDS);
                for (int row = 0; row < IDS.length; row++) {
                    assertThat(actual.get(row)).isEqualTo(expected.get(row));
                }
            }
        }
    }
}
