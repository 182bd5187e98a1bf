package dev.flagship.launch;

import dev.flagship.base.Bytes;
import dev.flagship.base.Quoted;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which files of a repository make one model.
 *
 * @param files at least one
 * @param note for the person who asked, if the choice was ours; empty if it was theirs
 */
record HubChoice(List<RemoteFile> files, String note) {
    /** Types of weights, the first that is there is taken when none is wished for. */
    private static final List<String> LIKED =
            List.of("Q4_K_M", "Q4_K_S", "Q4_0", "Q5_K_M", "Q8_0", "Q6_K", "Q3_K_M");

    /** What a model in Hugging Face's layout needs beside its weights. */
    private static final Pattern BESIDE =
            Pattern.compile(
                    "config\\.json|generation_config\\.json|tokenizer.*|special_tokens_map\\.json"
                            + "|added_tokens\\.json|vocab\\.json|merges\\.txt|chat_template\\..*"
                            + "|params\\.json|LICEN[CS]E.*|NOTICE.*");

    private static final Pattern SAFETENSORS =
            Pattern.compile("model.*\\.safetensors(\\.index\\.json)?");
    private static final Pattern TORCH = Pattern.compile("pytorch_model.*\\.bin(\\.index\\.json)?");
    private static final Pattern META = Pattern.compile("consolidated\\.\\d{2}\\.pth");

    private static final int MOST_NAMED = 12;

    HubChoice {
        files = List.copyOf(files);
    }

    /**
     * @param wish a file, a quantisation, or empty
     * @throws LaunchException {@code no_such_file}, which names what there is
     */
    static HubChoice of(HubRepository repository, String wish) {
        Map<String, List<RemoteFile>> ggufs =
                repository.files().stream()
                        .filter(file -> file.path().endsWith(".gguf"))
                        .filter(file -> !file.name().startsWith("mmproj"))
                        .collect(
                                Collectors.groupingBy(
                                        HubChoice::model, TreeMap::new, Collectors.toList()));
        if (!wish.isEmpty()) {
            return new HubChoice(wished(repository, ggufs, wish), "");
        }
        Optional<List<RemoteFile>> folder = folder(repository.files());
        if (folder.isPresent()) {
            return new HubChoice(folder.get(), "");
        }
        if (ggufs.isEmpty()) {
            throw nothing(
                    repository,
                    "it holds no weights that run here: no .gguf, safetensors, PyTorch or Meta's files at its top");
        }
        if (ggufs.size() == 1) {
            return new HubChoice(ggufs.values().iterator().next(), "");
        }
        List<RemoteFile> liked = liked(ggufs);
        return new HubChoice(
                liked,
                "The repository has %d models; taking %s. Others: :%s"
                        .formatted(
                                ggufs.size(),
                                liked.getFirst().name(),
                                names(ggufs, group -> !group.equals(liked))));
    }

    /** A split model's parts are one choice. */
    private static String model(RemoteFile file) {
        return SplitName.group(file.path());
    }

    private static List<RemoteFile> wished(
            HubRepository repository, Map<String, List<RemoteFile>> ggufs, String wish) {
        for (RemoteFile file : repository.files()) {
            if (file.path().equals(wish)) {
                return ggufs.getOrDefault(model(file), List.of(file));
            }
        }
        Pattern word =
                Pattern.compile(
                        "(?<![A-Z0-9])"
                                + Pattern.quote(wish.toUpperCase(Locale.ROOT))
                                + "(?![A-Z0-9_])");
        List<List<RemoteFile>> found =
                ggufs.entrySet().stream()
                        .filter(group ->
                                word.matcher(
                                                name(group.getValue())
                                                        .toUpperCase(Locale.ROOT)
                                                        .replaceFirst("\\.GGUF$", ""))
                                        .find())
                        .map(Map.Entry::getValue)
                        .toList();
        if (found.size() == 1) {
            return found.getFirst();
        }
        throw nothing(
                repository,
                (found.isEmpty() ? "nothing in it is called %s" : "several files of it fit %s")
                                .formatted(Quoted.of(wish))
                        + (ggufs.isEmpty()
                                ? ""
                                : "; it has %s".formatted(names(ggufs, _ -> true))));
    }

    private static List<RemoteFile> liked(Map<String, List<RemoteFile>> ggufs) {
        for (String type : LIKED) {
            for (var group : ggufs.entrySet()) {
                if (group.getKey().toUpperCase(Locale.ROOT).contains(type)) {
                    return group.getValue();
                }
            }
        }
        return ggufs.values().stream()
                .min(Comparator.comparingLong(HubChoice::bytes))
                .orElseThrow();
    }

    /** Of all parts together. */
    private static String name(List<RemoteFile> files) {
        return SplitName.whole(files.getFirst().path());
    }

    private static long bytes(List<RemoteFile> files) {
        return files.stream().mapToLong(RemoteFile::bytes).sum();
    }

    /** The files at the top that make a model in one of the layouts that are read. */
    static Optional<List<RemoteFile>> folder(List<RemoteFile> files) {
        for (Pattern weights : List.of(SAFETENSORS, TORCH, META)) {
            if (files.stream().anyMatch(file -> weights.matcher(file.path()).matches())) {
                return Optional.of(
                        files.stream()
                                .filter(file ->
                                        weights.matcher(file.path()).matches()
                                                || BESIDE.matcher(file.path()).matches())
                                .toList());
            }
        }
        return Optional.empty();
    }

    private static String names(
            Map<String, List<RemoteFile>> ggufs, Predicate<List<RemoteFile>> which) {
        List<String> names =
                ggufs.entrySet().stream()
                        .filter(group -> which.test(group.getValue()))
                        .map(group ->
                                "%s (%s)"
                                        .formatted(
                                                name(group.getValue()),
                                                Bytes.human(bytes(group.getValue()))))
                        .toList();
        return String.join(", ", names.subList(0, Math.min(names.size(), MOST_NAMED)))
                + (names.size() > MOST_NAMED
                        ? " and %d more".formatted(names.size() - MOST_NAMED)
                        : "");
    }

    private static LaunchException nothing(HubRepository repository, String why) {
        return new LaunchException(
                "no_such_file",
                "The repository %s cannot be used: %s"
                        .formatted(repository.place().repository(), why),
                null);
    }
}
