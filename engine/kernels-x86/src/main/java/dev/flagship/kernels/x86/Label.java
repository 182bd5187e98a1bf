package dev.flagship.kernels.x86;

import java.util.ArrayList;
import java.util.List;

/** A place in the code that jumps name, before or after it is bound. */
final class Label {
    static final int UNBOUND = -1;

    /** Offset in the code. */
    int position = UNBOUND;

    /** Offsets of 32-bit distances to fill in. */
    final List<Integer> waiting = new ArrayList<>();
}
