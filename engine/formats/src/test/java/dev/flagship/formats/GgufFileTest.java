package dev.flagship.formats;

import static dev.flagship.hostile.LittleEndian.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.hostile.LittleEndian;
import dev.flagship.hostile.TinyFiles;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
    @TempDir Path folder;

    private Path write(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("tiny.gguf"), bytes);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void readsTensorsOfBothVersions(int version) throws IOException {
        Path path = write(TinyFiles.gguf(version));
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.version()).isEqualTo(version);
            assertThat(file.path()).isEqualTo(path);
            assertThat(file.files()).containsExactly(path);
            assertThat(file.tensors().keySet()).containsExactly("matrix", "vector", "cube");

            TensorEntry matrix = file.tensor("matrix");
            assertThat(matrix.type()).isEqualTo(DType.Q8_0);
            assertThat(matrix.shape()).containsExactly(2L, 32L);
            assertThat(matrix.rows()).isEqualTo(2);
            assertThat(matrix.cols()).isEqualTo(32);
            assertThat(matrix.byteSize()).isEqualTo(2 * 34);
            assertThat(matrix.offset() % 64).isZero();

            TensorEntry cube = file.tensor("cube");
            assertThat(cube.shape()).containsExactly(2L, 3L, 4L);
            assertThat(cube.rows()).isEqualTo(6);
            assertThat(cube.elements()).isEqualTo(24);
            assertThat(cube.offset() - matrix.offset()).isEqualTo(192);

            byte[] vector = file.data(file.tensor("vector")).toArray(ValueLayout.JAVA_BYTE);
            assertThat(vector)
                    .containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        }
    }

    @Test
    void readsAsManyPairsAndTensorsAsAreAllowed() throws IOException {
        int most = 65_536;
        LittleEndian bytes = LittleEndian.gguf(3, most, most);
        bytes.pair("general.alignment", U8, v -> v.u8(8));
        for (int i = 1; i < most; i++) {
            bytes.pair("k" + i, U8, v -> v.u8(7));
        }
        for (int i = 0; i < most; i++) {
            bytes.tensor("t" + i, 0, 8L * i, 1);
        }
        try (GgufFile file = GgufFile.open(write(bytes.pad(8).data(8 * most).bytes()))) {
            assertThat(file.metadata().keys()).hasSize(most);
            assertThat(file.tensors()).hasSize(most);
            assertThat(file.metadata().integer("k65535")).isEqualTo(7);
        }
    }

    @Test
    void readsEveryKindOfValue() throws IOException {
        try (GgufFile file = GgufFile.open(write(TinyFiles.gguf(3)))) {
            GgufMetadata metadata = file.metadata();
            assertThat(metadata.keys()).hasSize(19).startsWith("general.architecture");
            assertThat(metadata.string("general.architecture")).isEqualTo("llama");
            assertThat(metadata.integer("u8")).isEqualTo(200);
            assertThat(metadata.integer("i8")).isEqualTo(-3);
            assertThat(metadata.integer("u16")).isEqualTo(60_000);
            assertThat(metadata.integer("i16")).isEqualTo(-300);
            assertThat(metadata.integer("u32")).isEqualTo(4_294_967_295L);
            assertThat(metadata.integer("i32")).isEqualTo(-1);
            assertThat(metadata.int32("i32")).isEqualTo(-1);
            assertThat(metadata.integer("u64")).isEqualTo(1L << 40);
            assertThat(metadata.integer("i64")).isEqualTo(-(1L << 40));
            assertThat(metadata.real("f32")).isEqualTo(0.1f);
            assertThat(metadata.real("f64")).isEqualTo(0.1);
            assertThat(metadata.bool("yes")).isTrue();
            assertThat(metadata.strings("tokens")).containsExactly("a", "", "é", "😀", "\uFFFD");
            assertThat(metadata.strings("nothing")).isEmpty();
            assertThat(metadata.ints("types")).containsExactly(1, -2, 3);
            assertThat(metadata.ints("bytes")).containsExactly(255, 0);
            assertThat(metadata.floats("scores")).containsExactly(-1.5f, 2);
        }
    }

    @Test
    void answersMissingKeysWithEmptyOptionals() throws IOException {
        try (GgufFile file = GgufFile.open(write(TinyFiles.gguf(3)))) {
            GgufMetadata metadata = file.metadata();
            assertThat(metadata.has("absent")).isFalse();
            assertThat(metadata.findString("absent")).isEmpty();
            assertThat(metadata.findInteger("absent")).isEmpty();
            assertThat(metadata.findInt32("absent")).isEmpty();
            assertThat(metadata.findReal("absent")).isEmpty();
            assertThat(metadata.findBool("absent")).isEmpty();
            assertThat(metadata.findString("general.architecture")).contains("llama");
            assertThat(metadata.findInteger("u8")).hasValue(200);
            assertThat(metadata.findInt32("u16")).hasValue(60_000);
            assertThat(metadata.findReal("f64")).hasValue(0.1);
            assertThat(metadata.findBool("yes")).contains(true);
        }
    }

    @Test
    void namesKeyFindingAndExpectationOfAWrongType() throws IOException {
        try (GgufFile file = GgufFile.open(write(TinyFiles.gguf(3)))) {
            GgufMetadata metadata = file.metadata();
            assertThatThrownBy(() -> metadata.string("u8"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContainingAll(
                            "tiny.gguf",
                            "metadata key \"u8\"",
                            "found an unsigned 8-bit integer",
                            "expected a string");
            assertThatThrownBy(() -> metadata.integer("f32"))
                    .hasMessageContainingAll("found a 32-bit float, expected an integer");
            assertThatThrownBy(() -> metadata.real("u32")).hasMessageContaining("expected a float");
            assertThatThrownBy(() -> metadata.bool("types"))
                    .hasMessageContaining("an array whose elements are each a 32-bit integer");
            assertThatThrownBy(() -> metadata.ints("tokens"))
                    .hasMessageContaining("expected an array of integers");
            assertThatThrownBy(() -> metadata.strings("nested"))
                    .isInstanceOf(FormatException.class);
            assertThatThrownBy(() -> metadata.floats("f32")).isInstanceOf(FormatException.class);
            assertThatThrownBy(() -> metadata.findString("u8")).isInstanceOf(FormatException.class);
            assertThatThrownBy(() -> metadata.int32("u64"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("1099511627776 found, expected a 32-bit integer");
            assertThatThrownBy(() -> metadata.string("absent"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContainingAll("\"absent\"", "the key is missing", "a string");
        }
    }

    @Test
    void refusesEntriesOfAnotherFileAndUnknownNames() throws IOException {
        try (GgufFile file = GgufFile.open(write(TinyFiles.gguf(3)))) {
            TensorEntry forged = new TensorEntry("matrix", DType.F32, List.of(4L), 0, 0);
            assertThatThrownBy(() -> file.data(forged))
                    .isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> file.tensor("lm_head.weight"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("\"lm_head.weight\"");
        }
    }

    @Test
    void opensAFileWithoutTensorsOrPadding() throws IOException {
        byte[] vocabulary = gguf(3, 0, 1).pair("a", U8, v -> v.u8(1)).bytes();
        try (GgufFile file = GgufFile.open(write(vocabulary))) {
            assertThat(file.tensors()).isEmpty();
            assertThat(file.metadata().integer("a")).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0,F32,4,16",
        "1,F16,4,8",
        "30,BF16,4,8",
        "8,Q8_0,32,34",
        "2,Q4_0,32,18",
        "3,Q4_1,32,20",
        "6,Q5_0,32,22",
        "7,Q5_1,32,24",
        "10,Q2_K,256,84",
        "11,Q3_K,256,110",
        "12,Q4_K,256,144",
        "13,Q5_K,256,176",
        "14,Q6_K,256,210",
        "16,IQ2_XXS,256,66",
        "17,IQ2_XS,256,74",
        "18,IQ3_XXS,256,98",
        "19,IQ1_S,256,50",
        "20,IQ4_NL,32,18",
        "21,IQ3_S,256,110",
        "22,IQ2_S,256,82",
        "23,IQ4_XS,256,136",
        "29,IQ1_M,256,56",
        "39,MXFP4,32,17"
    })
    void knowsTheTypesItReads(int number, DType type, long columns, int bytes) throws IOException {
        byte[] file = gguf(3, 1, 0).tensor("t", number, 0, columns).pad(32).data(bytes).bytes();
        try (GgufFile opened = GgufFile.open(write(file))) {
            assertThat(opened.tensor("t").type()).isEqualTo(type);
            assertThat(opened.tensor("t").byteSize()).isEqualTo(bytes);
        }
    }

    @Test
    void returnsMappingsAndDescriptorsAfterManyCycles() throws IOException {
        Path good = write(TinyFiles.gguf(3));
        Path bad = Files.write(folder.resolve("bad.gguf"), gguf(3, 1, 0).bytes());
        GgufFile.open(good).close();
        long arenas = MemoryLedger.arenas();
        long bytes = MemoryLedger.bytes();
        long descriptors = OpenedModels.descriptors();
        for (int i = 0; i < 100; i++) {
            GgufFile file = GgufFile.open(good);
            assertThat(MemoryLedger.arenas()).isEqualTo(arenas + 1);
            file.close();
            file.close();
            assertThatThrownBy(() -> GgufFile.open(bad)).isInstanceOf(FormatException.class);
        }
        assertThat(MemoryLedger.arenas()).isEqualTo(arenas);
        assertThat(MemoryLedger.bytes()).isEqualTo(bytes);
        assertThat(OpenedModels.descriptors()).isEqualTo(descriptors);
    }

    @Test
    void keepsItsErrorsFromClients() {
        FormatException error = new FormatException(folder, "place", "problem", "Remedy.");
        assertThat(error.code()).isEqualTo("bad_model_file");
        assertThat(error.clientSafe()).isFalse();
    }

    @Test
    void letsTheDisksErrorsThrough() {
        assertThatThrownBy(() -> GgufFile.open(folder.resolve("absent.gguf")))
                .isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> GgufFile.open(folder)).isInstanceOf(FormatException.class);
    }
}
