package dev.flagship.launch;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.List;

/**
 * Which licences the owner of a store has accepted: a line for each, {@code ID TAB TIME TAB NAME}.
 *
 * @param file {@code licences} of the store's home
 */
record AcceptedLicences(Path file) {
    /** One licence of unknown terms is not another's. */
    private static String key(Licence licence, String origin) {
        return licence.id().equals(Licence.UNKNOWN) || licence.id().equals("other")
                ? licence.id() + ":" + origin
                : licence.id();
    }

    boolean has(Licence licence, String origin) throws IOException {
        try {
            String key = key(licence, origin) + "\t";
            return Files.readAllLines(file, StandardCharsets.UTF_8).stream()
                    .anyMatch(line -> line.startsWith(key));
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    void add(Licence licence, String origin) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        String line =
                "%s\t%s\t%s"
                        .formatted(
                                key(licence, origin),
                                Instant.now(),
                                licence.name().replaceAll("\\s+", " "));
        Files.write(
                file,
                List.of(line),
                StandardCharsets.UTF_8,
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }
}
