package dev.flagship.launch;

import java.nio.channels.UnresolvedAddressException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;

/** What an exception of the JDK says to a person. */
final class Reasons {
    private Reasons() {}

    static String of(Throwable e) {
        Throwable at = e;
        while (at.getMessage() == null && at.getCause() != null) {
            at = at.getCause();
        }
        if (at instanceof UnresolvedAddressException) {
            return "its name cannot be resolved";
        }
        if (at instanceof AccessDeniedException denied) {
            return "no permission for " + denied.getFile();
        }
        if (at instanceof FileSystemException file && file.getReason() == null) {
            return at.getClass().getSimpleName().replace("Exception", "") + " " + file.getFile();
        }
        return at.getMessage() == null ? at.getClass().getSimpleName() : at.getMessage();
    }
}
