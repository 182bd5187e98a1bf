package dev.flagship.launch;

import dev.flagship.base.Bytes;
import java.io.IOException;
import java.io.Serial;
import java.nio.file.Path;

/** Says that a disk does not hold what is fetched. */
final class DiskFull {
    private DiskFull() {}

    /** A part could not be written: trying again does not help. */
    static final class WriteException extends IOException {
        @Serial private static final long serialVersionUID = 1L;

        WriteException(IOException cause) {
            super(cause.getMessage(), cause);
        }
    }

    /** Whether it is what the system says of a full disk or a used-up quota, whoever met it. */
    static boolean is(Throwable e) {
        for (Throwable at = e; at != null; at = at.getCause()) {
            String said = String.valueOf(at.getMessage());
            if (said.contains("No space left") || said.contains("quota exceeded")) {
                return true;
            }
        }
        return false;
    }

    static LaunchException before(String title, long missing, long free, Path part) {
        return new LaunchException(
                "disk_full",
                "%s needs %s more on the disk of %s, which has %s free. Free some space or set FLAGSHIP_HOME to a folder on another disk, and try again: what is here already is kept"
                        .formatted(
                                title, Bytes.human(missing), part.getParent(), Bytes.human(free)),
                null);
    }
}
