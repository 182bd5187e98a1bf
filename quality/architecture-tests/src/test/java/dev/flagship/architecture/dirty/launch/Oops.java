package dev.flagship.architecture.dirty.launch;

import java.io.Serial;

/** An error without a code. */
final class Oops extends RuntimeException {
    @Serial private static final long serialVersionUID = 1L;
}
