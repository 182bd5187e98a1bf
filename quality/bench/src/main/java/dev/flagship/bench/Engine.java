package dev.flagship.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Programs that bench can measure beside ours, each through a script of ours. */
enum Engine {
    LLAMA_CPP("llama.cpp", "llamacpp_peer.py", true),
    IK_LLAMA_CPP("ik_llama.cpp", "llamacpp_peer.py", true),
    PYTORCH("pytorch", "pytorch_peer.py", false),
    LLAMA3_JAVA("llama3.java", "Llama3Peer.java", false),
    JLAMA("jlama", "JlamaPeer.java", false);

    /** What Linux calls a feature, and what a build of llama.cpp must report where it is there. */
    private static final Map<String, String> REPORTED = reported();

    /** As above, for what ik_llama.cpp has no code for. */
    private static final Map<String, String> REPORTED_BY_LLAMA_CPP = Map.of("amx_int8", "AMX_INT8");

    private final String title;
    private final String script;
    private final boolean reportsFeatures;

    /**
     * One way to run it; the best one counts, figure by figure.
     *
     * @param title for people
     * @param flash whether with flash attention
     * @param repack whether the weights are repacked at load
     */
    record Setting(String title, boolean flash, boolean repack) {}

    Engine(String title, String script, boolean reportsFeatures) {
        this.title = title;
        this.script = script;
        this.reportsFeatures = reportsFeatures;
    }

    static Optional<Engine> of(String title) {
        for (Engine each : values()) {
            if (each.title.equals(title)) {
                return Optional.of(each);
            }
        }
        return Optional.empty();
    }

    /** All names, for people. */
    static String titles() {
        var titles = new ArrayList<String>();
        for (Engine each : values()) {
            titles.add(each.title);
        }
        return String.join(", ", titles);
    }

    /** As one writes it on the command line. */
    String title() {
        return title;
    }

    /** A resource beside this class. */
    String script() {
        return script;
    }

    List<Setting> settings() {
        return switch (this) {
            case LLAMA_CPP ->
                    List.of(new Setting("fa on", true, false), new Setting("fa off", false, false));
            case IK_LLAMA_CPP ->
                    List.of(
                            new Setting("fa on", true, false),
                            new Setting("fa off", false, false),
                            new Setting("fa on, repacked", true, true));
            case PYTORCH -> List.of(new Setting("F32", false, false));
            case LLAMA3_JAVA -> List.of(new Setting("C2", false, false));
            case JLAMA ->
                    List.of(
                            new Setting("as stored", false, false),
                            new Setting("Q4", false, false));
        };
    }

    /**
     * Whether it is as fast at once as it will be, since nothing of it is compiled while it runs.
     */
    boolean warmAtOnce() {
        return switch (this) {
            case LLAMA_CPP, IK_LLAMA_CPP -> true;
            case PYTORCH, LLAMA3_JAVA, JLAMA -> false;
        };
    }

    /** Whether its settings have weights of their own, so that each may be right or wrong. */
    boolean settingsDiffer() {
        return this == JLAMA;
    }

    /** Whether it reads such a model: a GGUF file or, for jlama, a Hugging Face folder. */
    boolean reads(Path model) {
        return this == JLAMA ? Files.isDirectory(model) : model.toString().endsWith(".gguf");
    }

    /**
     * Most that its perplexity may be off ours for a ratio to be fair. What computes in F32 is off
     * by what our rounding of activations to int8 costs.
     */
    double tolerance() {
        return reportsFeatures ? 0.005 : 0.01;
    }

    private static Map<String, String> reported() {
        var map = new LinkedHashMap<String, String>();
        map.put("avx2", "AVX2");
        map.put("fma", "FMA");
        map.put("f16c", "F16C");
        map.put("avx_vnni", "AVX_VNNI");
        map.put("avx512f", "AVX512");
        map.put("avx512_vnni", "AVX512_VNNI");
        map.put("avx512_bf16", "AVX512_BF16");
        map.put("asimd", "NEON");
        map.put("asimddp", "DOTPROD");
        map.put("i8mm", "MATMUL_INT8");
        return map;
    }

    /** Features of the processor that a build does not use, as it calls them. */
    List<String> missing(Machine machine, String systemInfo) {
        var missing = new ArrayList<String>();
        if (!reportsFeatures) {
            return missing;
        }
        var wanted = new LinkedHashMap<>(REPORTED);
        if (this == LLAMA_CPP) {
            wanted.putAll(REPORTED_BY_LLAMA_CPP);
        }
        wanted.forEach((feature, name) -> {
            // The wider VNNI makes the narrower one unnecessary.
            boolean superseded = feature.equals("avx_vnni") && machine.has("avx512_vnni");
            boolean told = systemInfo.contains(" " + name + " = 1");
            if (machine.has(feature) && !superseded && !told) {
                missing.add(name);
            }
        });
        return missing;
    }
}
