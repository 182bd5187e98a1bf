package dev.flagship.launch;

import java.nio.channels.ClosedChannelException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

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
        if (at instanceof ClosedChannelException) {
            return "the connection was closed";
        }
        if (at instanceof AccessDeniedException denied) {
            return "no permission for " + denied.getFile();
        }
        if (at instanceof FileSystemException file && file.getReason() == null) {
            return switch (file) {
                case FileAlreadyExistsException _ -> "at " + file.getFile() + " is a file already";
                case NoSuchFileException _ -> "there is no " + file.getFile();
                case NotDirectoryException _ -> file.getFile() + " is no folder";
                default ->
                        file.getClass().getSimpleName().replace("Exception", "")
                                + " "
                                + file.getFile();
            };
        }
        return at.getMessage() == null ? at.getClass().getSimpleName() : at.getMessage();
    }
}
