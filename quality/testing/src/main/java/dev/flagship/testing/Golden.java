package dev.flagship.testing;

import dev.flagship.formats.SafetensorsFile;
import dev.flagship.formats.TensorEntry;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Outputs of the reference implementation, committed under {@code dev/flagship/testing/golden}. All
 * is read to the heap; nothing stays open.
 */
public final class Golden {

    private final Map<String, List<float[]>> tensors;

    private Golden(Map<String, List<float[]>> tensors) {
        this.tensors = tensors;
    }

    /** Reads a safetensors resource, {@code llama/wide.expected.safetensors}. */
    public static Golden read(String name) throws IOException {
        Path folder = Files.createTempDirectory("flagship-golden");
        Path file = extract(name, folder);
        Map<String, List<float[]>> tensors = new LinkedHashMap<>();
        try (SafetensorsFile open = SafetensorsFile.open(file)) {
            for (TensorEntry entry : open.tensors().values()) {
                tensors.put(entry.name(), rows(entry, open.data(entry)));
            }
        } finally {
            Files.delete(file);
            Files.delete(folder);
        }
        return new Golden(tensors);
    }

    private static List<float[]> rows(TensorEntry entry, MemorySegment data) {
        float[] numbers = data.toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        int width = Math.toIntExact(entry.cols());
        List<float[]> rows = new ArrayList<>();
        for (int from = 0; from < numbers.length; from += width) {
            rows.add(Arrays.copyOfRange(numbers, from, from + width));
        }
        return rows;
    }

    /** A text resource, {@code llama/rope.json}. */
    public static String text(String name) throws IOException {
        try (InputStream in = open(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /**
     * Copies a resource into a folder under its own name, for code that wants a file.
     *
     * @return the file
     */
    public static Path extract(String name, Path folder) throws IOException {
        Path file = folder.resolve(name.substring(name.lastIndexOf('/') + 1));
        try (InputStream in = open(name)) {
            Files.copy(in, file);
        }
        return file;
    }

    private static InputStream open(String name) throws IOException {
        InputStream in = Golden.class.getResourceAsStream("golden/" + name);
        if (in == null) {
            throw new IOException("there is no golden " + name);
        }
        return in;
    }

    public Set<String> names() {
        return tensors.keySet();
    }

    /** The rows of a tensor; a vector has one. */
    public List<float[]> rows(String name) {
        List<float[]> rows = tensors.get(name);
        if (rows == null) {
            throw new AssertionError("no tensor %s among %s".formatted(name, tensors.keySet()));
        }
        return rows;
    }

    /** A vector of token ids. */
    public int[] ids(String name) {
        float[] numbers = rows(name).getFirst();
        int[] ids = new int[numbers.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = (int) numbers[i];
        }
        return ids;
    }

    /** Largest distance of any number from the expected one; infinite if shapes or NaNs differ. */
    public double distance(String name, List<float[]> actual) {
        List<float[]> expected = rows(name);
        if (actual.size() != expected.size()) {
            return Double.POSITIVE_INFINITY;
        }
        double worst = 0;
        for (int row = 0; row < expected.size(); row++) {
            worst = Math.max(worst, distance(actual.get(row), expected.get(row)));
        }
        return worst;
    }

    private static double distance(float[] actual, float[] expected) {
        if (actual.length != expected.length) {
            return Double.POSITIVE_INFINITY;
        }
        double worst = 0;
        for (int i = 0; i < actual.length; i++) {
            double distance = Math.abs((double) actual[i] - expected[i]);
            worst = Math.max(worst, Double.isNaN(distance) ? Double.POSITIVE_INFINITY : distance);
        }
        return worst;
    }
}
