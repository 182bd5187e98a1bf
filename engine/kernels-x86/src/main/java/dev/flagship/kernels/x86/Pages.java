package dev.flagship.kernels.x86;

/** The operating system's pages. A seam, so that a test can be the host that refuses. */
interface Pages {
    /** Bytes of a page of x86-64; larger ones are not used for code. */
    int PAGE = 4096;

    /** What may be done with pages. There is no way to ask for writable and executable at once. */
    enum Access {
        NONE(0),
        READ_WRITE(1 | 2),
        READ_EXECUTE(1 | 4);

        final int bits;

        Access(int bits) {
            this.bits = bits;
        }
    }

    /**
     * Reserves private pages without access.
     *
     * @return their address, or −errno
     */
    long reserve(long bytes);

    /**
     * Changes what may be done with pages.
     *
     * @return 0 or errno
     */
    int protect(long address, long bytes, Access access);

    /** Gives pages back. */
    void release(long address, long bytes);
}
