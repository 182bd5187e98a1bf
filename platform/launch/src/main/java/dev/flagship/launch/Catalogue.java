package dev.flagship.launch;

import dev.flagship.base.EditDistance;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;

/** The models that have names. */
public record Catalogue(List<CatalogueModel> models) {
    /** The model that is used when none is named. */
    public static final String DEFAULT_MODEL = "smollm2";

    /** The user's own, in the store's home. */
    static final String FILE = "catalogue.json";

    public Catalogue {
        models = List.copyOf(models);
    }

    /** What this version of Flagship knows. */
    public static Catalogue standard() {
        try (InputStream in = Objects.requireNonNull(Catalogue.class.getResourceAsStream(FILE))) {
            return new Catalogue(CatalogueReader.read(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (Json.Fault e) {
            throw new AssertionError("the jar's own catalogue is broken", e);
        }
    }

    /**
     * With the user's own models, which win over ours of the same name.
     *
     * @throws LaunchException {@code bad_setting}, if the user's file cannot be understood
     */
    Catalogue with(Path own) {
        if (!Files.isRegularFile(own)) {
            return this;
        }
        try (InputStream in = Files.newInputStream(own)) {
            List<CatalogueModel> all = new ArrayList<>(CatalogueReader.read(in));
            for (CatalogueModel model : models) {
                if (all.stream().noneMatch(other -> other.name().equals(model.name()))) {
                    all.add(model);
                }
            }
            return new Catalogue(all);
        } catch (IOException e) {
            throw new LaunchException(
                    "bad_setting",
                    "Your catalogue %s cannot be read: %s".formatted(own, Reasons.of(e)),
                    e);
        } catch (Json.Fault e) {
            throw new LaunchException(
                    "bad_setting",
                    "Your catalogue %s cannot be used: %s. Mend the file, or move it away"
                            .formatted(own, e.words()),
                    e);
        }
    }

    /** The model of exactly this name. */
    public Optional<CatalogueModel> find(String name) {
        return models.stream().filter(model -> model.name().equals(name)).findFirst();
    }

    /** The name that a misspelt one probably meant. */
    static Optional<String> nearest(String typed, Collection<String> names) {
        String wanted = typed.toLowerCase(Locale.ROOT);
        return names.stream()
                .filter(name ->
                        wanted.startsWith(name)
                                || EditDistance.of(wanted, name) <= name.length() / 3)
                .min(Comparator.comparingInt(name -> EditDistance.of(wanted, name)));
    }
}
