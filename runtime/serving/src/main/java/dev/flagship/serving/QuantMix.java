package dev.flagship.serving;

import dev.flagship.formats.TensorEntry;
import dev.flagship.models.Llama;
import dev.flagship.tensor.DType;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Which type each tensor is rounded to. The mixes are those of llama.cpp's quantiser under the same
 * names ({@code q4_k} being its Q4_K_M), without importance matrices: what hurts most keeps more
 * bits. But llama.cpp gives values of the 70B that would be Q4_K to Q5_K, for which there is no
 * encoder here. Vectors stay F32.
 */
public enum QuantMix {
    /** All in Q8_0. */
    Q8_0(7),
    /** Q4_0, the head in Q6_K. */
    Q4_0(2),
    /** Q4_K; the head, and half of the values and of the MLP's ways down, in Q6_K. */
    Q4_K(15);

    /** Counts changes of what weights are rounded to, so that packed ones are made again. */
    static final int VERSION = 2;

    /** Weights of the smallest blocks. */
    private static final int BLOCK = DType.Q8_0.blockElements();

    private final int ggufNumber;

    QuantMix(int ggufNumber) {
        this.ggufNumber = ggufNumber;
    }

    /** Of matrices whose width does not matter: all that {@link #wanted} gives. */
    private Set<DType> wanted() {
        return switch (this) {
            case Q8_0 -> Set.of(DType.Q8_0);
            case Q4_0 -> Set.of(DType.Q4_0, DType.Q6_K);
            case Q4_K -> Set.of(DType.Q4_K, DType.Q6_K);
        };
    }

    /**
     * The mix of this name, in letters of either case, or of llama.cpp's; empty if there is none.
     */
    public static Optional<QuantMix> of(String name) {
        if (name.equalsIgnoreCase("q4_k_m")) {
            return Optional.of(Q4_K);
        }
        return Arrays.stream(values()).filter(mix -> mix.name().equalsIgnoreCase(name)).findFirst();
    }

    /** All names, for people. */
    public static String names() {
        return Arrays.stream(values()).map(QuantMix::toString).collect(Collectors.joining(", "));
    }

    /** The name that people see. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** What GGUF's {@code general.file_type} calls it. */
    int ggufNumber() {
        return ggufNumber;
    }

    /**
     * What a tensor becomes. A width that has no whole number of super-blocks takes a type of
     * smaller blocks and at least as many bits; one that has no blocks at all stays as it is.
     */
    DType type(TensorSource tensor, Llama.Config config) {
        if (tensor.vector()) {
            return DType.F32;
        }
        DType wanted = wanted(tensor.name(), config);
        long cols = tensor.shape().getLast();
        if (cols % wanted.blockElements() == 0) {
            return wanted;
        }
        return cols % BLOCK == 0 ? narrower(wanted) : tensor.type();
    }

    private static DType narrower(DType superBlocks) {
        return superBlocks == DType.Q6_K ? DType.Q8_0 : DType.Q4_1;
    }

    /**
     * All that {@link #type} may give for what lies in a model's files, before names are known. A
     * matrix there may be one of several parts of a wider one.
     */
    Set<DType> types(Collection<TensorEntry> entries) {
        Set<DType> all = EnumSet.of(DType.F32);
        all.addAll(wanted());
        for (TensorEntry entry : entries) {
            if (entry.shape().size() < 2) {
                continue;
            }
            for (DType wanted : wanted()) {
                if (wanted.blockElements() > BLOCK && entry.cols() % wanted.blockElements() != 0) {
                    all.add(narrower(wanted));
                }
            }
            if (entry.cols() % BLOCK != 0) {
                all.add(entry.type());
            }
        }
        return all;
    }

    /** What a matrix of this name becomes if its width does not matter. */
    DType wanted(String name, Llama.Config config) {
        if (this == Q8_0) {
            return DType.Q8_0;
        }
        String head = config.tiedHead() ? "model.embed_tokens.weight" : "lm_head.weight";
        if (name.equals(head)) {
            return DType.Q6_K;
        }
        if (this == Q4_0) {
            return DType.Q4_0;
        }
        boolean delicate =
                name.endsWith(".self_attn.v_proj.weight") || name.endsWith(".mlp.down_proj.weight");
        return delicate && needsBits(layer(name), config.layers()) ? DType.Q6_K : DType.Q4_K;
    }

    /** The first and last eighth of the layers, and every third between. */
    private static boolean needsBits(int layer, int layers) {
        int eighth = layers / 8;
        return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
    }

    /** Of {@code model.layers.3.mlp.down_proj.weight}. */
    private static int layer(String name) {
        return Integer.parseInt(name.split("\\.", 4)[2]);
    }
}
