package dev.flagship.cli;

import java.nio.file.Path;

/**
 * What names of files mean in a chat.
 *
 * @param folder where the program was started
 * @param home what {@code ~} stands for
 */
record Places(Path folder, Path home) {

    /** The file that a name means. */
    Path resolve(String name) {
        if (name.equals("~")) {
            return home;
        }
        return name.startsWith("~/") ? home.resolve(name.substring(2)) : folder.resolve(name);
    }
}
