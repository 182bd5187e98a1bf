package dev.flagship.serving;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Tells how much may still be written to a disk. */
interface FreeSpace {
    FreeSpace OF_THIS_MACHINE = folder -> Files.getFileStore(folder).getUsableSpace();

    /** Bytes that may still be written into a folder, which is there. */
    long bytes(Path folder) throws IOException;
}
