package dev.flagship.serving;

import dev.flagship.formats.SafetensorsFile;
import dev.flagship.formats.TensorEntry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;

/** Writes a model's q, k and v, and gate and up, as one matrix each, as Phi-3's files have them. */
final class Fused {
    private Fused() {}

    static void rewrite(Path model) throws IOException {
        Map<String, ByteArrayOutputStream> data = new LinkedHashMap<>();
        Map<String, long[]> shapes = new LinkedHashMap<>();
        try (SafetensorsFile file = SafetensorsFile.open(model)) {
            for (String end : new String[] {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"}) {
                for (TensorEntry entry : file.tensors().values()) {
                    if (entry.name().endsWith(end + ".weight")) {
                        add(file, entry, data, shapes);
                    }
                }
            }
            for (TensorEntry entry : file.tensors().values()) {
                if (entry.name().equals(fused(entry.name())) && !data.containsKey(entry.name())) {
                    add(file, entry, data, shapes);
                }
            }
        }
        write(model, data, shapes);
    }

    private static String fused(String name) {
        return name.replaceFirst("\\.[qkv]_proj", ".qkv_proj")
                .replaceFirst("\\.(gate|up)_proj", ".gate_up_proj");
    }

    private static void add(
            SafetensorsFile file,
            TensorEntry entry,
            Map<String, ByteArrayOutputStream> data,
            Map<String, long[]> shapes) {
        String name = fused(entry.name());
        data.computeIfAbsent(name, _ -> new ByteArrayOutputStream())
                .writeBytes(file.data(entry).toArray(ValueLayout.JAVA_BYTE));
        long[] shape = entry.shape().stream().mapToLong(Long::longValue).toArray();
        shapes.merge(name, shape, (a, b) -> new long[] {a[0] + b[0], a[1]});
    }

    private static void write(
            Path model, Map<String, ByteArrayOutputStream> data, Map<String, long[]> shapes)
            throws IOException {
        StringJoiner header = new StringJoiner(",", "{", "}");
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        data.forEach((name, bytes) -> {
            long[] shape = shapes.getOrDefault(name, new long[0]);
            header.add(
                    "\"%s\":{\"dtype\":\"F16\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                            .formatted(
                                    name,
                                    Arrays.toString(shape),
                                    all.size(),
                                    all.size() + bytes.size()));
            all.writeBytes(bytes.toByteArray());
        });
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        ByteBuffer file =
                ByteBuffer.allocate(8 + json.length + all.size()).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(json.length).put(json).put(all.toByteArray());
        Files.write(model, file.array());
    }
}
