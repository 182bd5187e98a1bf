package dev.flagship.launch;

import static dev.flagship.base.Check.check;

/**
 * A state of a repository of the model hub.
 *
 * @param repository {@code owner/name}
 * @param revision a branch, a tag or a commit
 */
record HubPlace(String repository, String revision) {
    private static final String NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,95}";

    HubPlace {
        check(isRepository(repository), "\"%s\" is no repository such as owner/name", repository);
        check(
                revision.matches(NAME + "(/" + NAME + ")*") && !revision.contains(".."),
                "\"%s\" is no revision of a repository",
                revision);
    }

    static boolean isRepository(String text) {
        return text.matches(NAME + "/" + NAME) && !text.contains("..");
    }

    /** As a manifest tells where a model is from. */
    String origin() {
        return repository + "@" + revision;
    }

    /** Below the hub's base URL. */
    String filePath(String path) {
        return repository + "/resolve/" + Percent.segments(revision) + "/" + Percent.path(path);
    }
}
