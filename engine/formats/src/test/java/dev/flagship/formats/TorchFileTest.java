package dev.flagship.formats;

import static dev.flagship.hostile.PickleBytes.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.hostile.LittleEndian;
import dev.flagship.hostile.TinyFiles;
import dev.flagship.tensor.DType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TorchFileTest {
    @TempDir Path folder;

    private static final byte[] SEVERAL =
            dictionary(p ->
                    p.text("matrix")
                            .tensor("FloatStorage", "0", 12, 0, of(3, 4), of(4, 1))
                            .text("transposed")
                            .tensor("FloatStorage", "0", 12, 0, of(4, 3), of(1, 4))
                            .text("inner")
                            .tensor("FloatStorage", "0", 12, 5, of(2, 2), of(4, 1))
                            .text("half")
                            .tensor("HalfStorage", "1", 2, 1, of(1), of(1))
                            .text("scalar")
                            .tensor("BFloat16Storage", "2", 1, 0, of(), of())
                            .text("wide")
                            .tensor("DoubleStorage", "3", 1, 0, of(1), of(1))
                            .text("steps")
                            .tensor("LongStorage", "4", 2, 0, of(2), of(1))
                            .text("none")
                            .tensor("FloatStorage", "5", 0, 0, of(0), of(1))
                            .text("epoch")
                            .number(7));

    private static Map<String, byte[]> its() {
        return storages(48, 4, 2, 8, 16, 0);
    }

    private static void assertReadsSeveral(TorchFile file) {
        assertThat(file.tensors().keySet())
                .containsExactly("matrix", "transposed", "inner", "half", "scalar");
        assertThat(file.withheld())
                .containsEntry("wide", "its type is float64")
                .containsEntry("steps", "its type is int64")
                .containsEntry("none", "its shape [0] has no elements")
                .containsEntry("epoch", "it is no tensor")
                .hasSize(4);
        TensorEntry matrix = file.tensor("matrix");
        TensorEntry transposed = file.tensor("transposed");
        TensorEntry inner = file.tensor("inner");
        assertThat(matrix.contiguous()).isTrue();
        assertThat(transposed.contiguous()).isFalse();
        assertThat(inner.contiguous()).isFalse();
        assertThat(transposed.shape()).containsExactly(4L, 3L);
        assertThat(transposed.strides()).containsExactly(1L, 4L);
        assertThat(transposed.span()).isEqualTo(48);
        assertThat(inner.span()).isEqualTo(6 * 4);
        assertThat(inner.byteSize()).isEqualTo(16);
        assertThat(inner.offset()).isEqualTo(matrix.offset() + 20);
        assertThat(file.data(matrix).get(ValueLayout.JAVA_BYTE, 47)).isEqualTo((byte) 47);
        assertThat(file.data(inner).get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 20);
        assertThat(file.tensor("half").type()).isEqualTo(DType.F16);
        assertThat(file.data(file.tensor("half")).get(ValueLayout.JAVA_BYTE, 0))
                .isEqualTo((byte) 2);
        assertThat(file.tensor("scalar").type()).isEqualTo(DType.BF16);
        assertThat(file.parts("inner")).containsExactly(inner);
        assertThat(file.consolidated()).isFalse();
        assertThatThrownBy(() -> file.tensor("wide"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("its type is float64");
        assertThatThrownBy(() -> file.tensor("other"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("does not have it");
    }

    @Test
    void readsAnArchive() throws IOException {
        Path path = Files.write(folder.resolve("a.bin"), archive(SEVERAL, its()));
        try (TorchFile file = TorchFile.open(path)) {
            assertReadsSeveral(file);
        }
        try (ModelFile file = ModelFiles.open(path)) {
            assertThat(file).isInstanceOf(TorchFile.class);
        }
    }

    @Test
    void readsAStreamOfBeforeVersion16() throws IOException {
        LittleEndian out = new LittleEndian().raw(streamHead(true)).raw(SEVERAL).raw(keys(its()));
        int[] widths = {4, 2, 2, 8, 8, 4};
        its().forEach((key, bytes) ->
                out.u64(bytes.length / widths[Integer.parseInt(key)]).raw(bytes));
        Path path = Files.write(folder.resolve("a.pt"), out.bytes());
        try (TorchFile file = TorchFile.open(path)) {
            assertReadsSeveral(file);
        }
    }

    @Test
    void readsAFolderWithOneFileAndPrefersSafetensors() throws IOException {
        Files.write(folder.resolve("pytorch_model.bin"), archive(oneTensor(), storages(16)));
        try (ModelFile file = ModelFiles.open(folder)) {
            assertThat(file).isInstanceOf(TorchFile.class);
            assertThat(file.files()).containsExactly(folder.resolve("pytorch_model.bin"));
        }
        Files.write(folder.resolve("model.safetensors"), TinyFiles.safetensors());
        try (ModelFile file = ModelFiles.open(folder)) {
            assertThat(file).isInstanceOf(SafetensorsFile.class);
        }
    }

    private void index(String json) throws IOException {
        Files.writeString(folder.resolve("pytorch_model.bin.index.json"), json);
    }

    @Test
    void readsShardsByTheirIndex() throws IOException {
        Files.write(folder.resolve("one.bin"), archive(oneTensor(), storages(16)));
        byte[] other = dictionary(p -> p.text("b").tensor("HalfStorage", "0", 8, 0, of(8), of(1)));
        Files.write(folder.resolve("two.bin"), archive(other, storages(16)));
        index("{\"weight_map\": {\"a\": \"one.bin\", \"b\": \"two.bin\"}}");
        try (ModelFile file = ModelFiles.open(folder)) {
            assertThat(file.tensors().keySet()).containsExactly("a", "b");
            assertThat(file.tensor("b").file()).isEqualTo(1);
        }
        for (String bad :
                List.of("../one.bin", "one.safetensors", "/one.bin", ".bin", "a\\\\.bin")) {
            index("{\"weight_map\": {\"a\": \"" + bad + "\", \"b\": \"two.bin\"}}");
            assertThatThrownBy(() -> ModelFiles.open(folder))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("is not a plain file name that ends in .bin");
        }
        index("{\"weight_map\": {\"a\": \"two.bin\", \"b\": \"two.bin\"}}");
        assertThatThrownBy(() -> ModelFiles.open(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("the index places it in two.bin");
        index("{\"weight_map\": {\"a\": \"one.bin\", \"b\": \"three.bin\"}}");
        assertThatThrownBy(() -> ModelFiles.open(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("three.bin is not in the folder");
    }

    private Path part(int number, byte[] pickle) throws IOException {
        return Files.write(
                folder.resolve("consolidated.%02d.pth".formatted(number)),
                archive(pickle, storages(16)));
    }

    @Test
    void readsThePartsOfMetasLayout() throws IOException {
        part(0, oneTensor());
        Path second = part(1, oneTensor());
        for (Path name : List.of(folder, second)) {
            try (TorchFile file = (TorchFile) ModelFiles.open(name)) {
                assertThat(file.consolidated()).isTrue();
                assertThat(file.files()).hasSize(2);
                List<TensorEntry> parts = file.parts("a");
                assertThat(parts).extracting(TensorEntry::file).containsExactly(0, 1);
                for (TensorEntry each : parts) {
                    assertThat(file.data(each).byteSize()).isEqualTo(16);
                }
                TensorEntry stranger = new TensorEntry("a", DType.F32, List.of(4L), 2, 0);
                assertThatThrownBy(() -> file.data(stranger))
                        .isInstanceOf(InvalidArgumentException.class);
            }
        }
        part(3, oneTensor());
        assertThatThrownBy(() -> ModelFiles.open(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("consolidated.02.pth is missing");
        part(2, dictionary(p -> p.text("b").tensor("HalfStorage", "0", 8, 0, of(8), of(1))));
        assertThatThrownBy(() -> ModelFiles.open(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("they are not those of consolidated.00.pth");
    }

    /** As PyTorch writes a member's header: sizes follow the data. */
    private static byte[] header(String name) {
        return new LittleEndian()
                .text("PK\3\4")
                .u32(0x08080000)
                .u32(0)
                .u16(0)
                .u32(0)
                .u32(0)
                .u32(0)
                .u16(name.length())
                .u16(0)
                .text(name)
                .bytes();
    }

    /** The directory's record of a member, its numbers in the Zip64 field. */
    private static void describe(
            LittleEndian directory, String name, int sum, long size, long header) {
        directory
                .text("PK\1\2")
                .u32(0)
                .u16(0x0808)
                .u16(0)
                .u32(0)
                .u32(sum)
                .u32(-1)
                .u32(-1)
                .u16(name.length())
                .u16(28)
                .u16(0)
                .u16(0)
                .u16(0)
                .u32(0)
                .u32(-1)
                .text(name)
                .u16(1)
                .u16(24)
                .u64(size)
                .u64(size)
                .u64(header);
    }

    /** A storage behind 4 GiB, whose place only Zip64 fields tell; the file has holes. */
    @Test
    void readsWhatLiesBeyondFourGigabytes() throws IOException {
        long large = 5L << 30;
        byte[] pickle =
                dictionary(p ->
                        p.text("large")
                                .tensor("HalfStorage", "0", large / 2, 0, of(large / 2), of(1))
                                .text("last")
                                .tensor("FloatStorage", "1", 4, 0, of(4), of(1)));
        CRC32 crc = new CRC32();
        crc.update(pickle);
        long[] sizes = {pickle.length, large, 16};
        String[] names = {"m/data.pkl", "m/data/0", "m/data/1"};
        byte[][] contents = {pickle, {}, new LittleEndian().data(16).bytes()};
        Path path = folder.resolve("large.bin");
        try (RandomAccessFile out = new RandomAccessFile(path.toFile(), "rw")) {
            LittleEndian directory = new LittleEndian();
            for (int i = 0; i < names.length; i++) {
                long header = out.getFilePointer();
                int sum = i == 0 ? (int) crc.getValue() : 0;
                out.write(header(names[i]));
                long data = out.getFilePointer();
                out.write(contents[i]);
                out.seek(data + sizes[i]);
                describe(directory, names[i], sum, sizes[i], header);
            }
            long at = out.getFilePointer();
            byte[] records = directory.bytes();
            out.write(records);
            long end = out.getFilePointer();
            out.write(
                    new LittleEndian()
                            .text("PK\6\6")
                            .u64(44)
                            .u32(0)
                            .u64(0)
                            .u64(3)
                            .u64(3)
                            .u64(records.length)
                            .u64(at)
                            .text("PK\6\7")
                            .u32(0)
                            .u64(end)
                            .u32(1)
                            .text("PK\5\6")
                            .u32(0)
                            .u16(3)
                            .u16(3)
                            .u32(-1)
                            .u32(-1)
                            .u16(0)
                            .bytes());
        }
        try (TorchFile file = TorchFile.open(path)) {
            assertThat(file.data(file.tensor("large")).byteSize()).isEqualTo(large);
            TensorEntry last = file.tensor("last");
            assertThat(last.offset()).isGreaterThan(large);
            assertThat(file.data(last).get(ValueLayout.JAVA_BYTE, 15)).isEqualTo((byte) 15);
        }
    }

    @Test
    void namesWhatItReadsWhereAFolderHasNothing() throws IOException {
        Files.writeString(folder.resolve("readme.txt"), "nothing", StandardCharsets.UTF_8);
        assertThatThrownBy(() -> ModelFiles.open(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContainingAll("model.safetensors", "pytorch_model.bin", "consolidated");
    }
}
